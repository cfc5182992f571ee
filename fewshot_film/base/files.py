"""Files that are either whole or not there, and tensor files that cannot execute anything."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fewshot_film.errors import FewShotError, UsageError

METADATA = "fewshot_film_metadata"
"""The one key of a tensor file's metadata: safetensors writes several in an order of chance."""


def write_atomic(path: Path, content: bytes) -> None:
    """Write beside `path`, flush, then rename: a reader sees the old file or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise FewShotError(
            f"cannot write {path}: {error.strerror}; make room or choose another place "
            "(what was saved before is intact)"
        ) from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensors_sha256(tensors: Iterable[Tensor]) -> str:
    """The SHA-256 of the values of tensors, in their order."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Tensors and a few words about them -> a safetensors file, written atomically.

    The same content makes the same bytes.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    words = {METADATA: json.dumps(dict(metadata), sort_keys=True)}
    write_atomic(path, safetensors.torch.save(plain, words))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A safetensors file -> (tensors, metadata). Nothing in the file is executed."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, _words(file.metadata() or {})
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is damaged or not a checkpoint ({error}); delete the run's .safetensors "
            "files and train it again with `resume`"
        ) from error


def _words(stored: dict[str, str]) -> dict[str, str]:
    """What `save_tensors` was given; files of version 0.1.0 hold each word as a key of its own."""
    if stored.keys() != {METADATA}:
        return stored
    words: object = json.loads(stored[METADATA])
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise ValueError(f"its {METADATA} is not a mapping of words")
    return words


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], origin: Path) -> None:
    """Copy `tensors` into `module`; every weight must be there, none left over."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reason = shorten(str(error), 400, placeholder=" ...")
        raise UsageError(f"{origin} does not fit its config.json: {reason}") from error
