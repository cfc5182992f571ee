"""Where a figure comes from: versions, commit and device."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import torch

from fewshot_film._version import __version__
from fewshot_film.base.device import has_bfloat16

NO_BFLOAT16 = "no bfloat16"
"""How a device is marked that trains in float32, whatever its config says."""


def environment(device: torch.device) -> dict[str, str]:
    """What to write beside every figure."""
    return {
        "fewshot_film": __version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": _device_name(device),
    }


def _device_name(device: torch.device) -> str:
    lacking = [] if has_bfloat16(device) else [NO_BFLOAT16]
    if device.type == "cuda":
        return " ".join([torch.cuda.get_device_name(device), *(f"({note})" for note in lacking)])
    return f"cpu ({', '.join([f'{torch.get_num_threads()} threads', *lacking])})"


@cache
def _commit() -> str:
    """The checkout's commit, with + where code differs from it; "release" outside a checkout.

    It is looked up once: the checkout may move on while a process runs.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return "release"
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", "*.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
