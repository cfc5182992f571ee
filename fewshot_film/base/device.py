"""Which device to compute on."""

from __future__ import annotations

import torch

from fewshot_film.errors import UsageError


def choose_device(name: str | torch.device) -> torch.device:
    """auto -> the first CUDA device if there is one, else the CPU; or the device named.

    On CUDA, float32 is made to mean float32: torch's convolutions would take TF32 unasked.
    """
    device = _device(str(name))
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16; others imitate it, ten times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # a build without oneDNN, as for macOS, does not know the question
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()):
        raise UsageError(f"`device` is {name!r}; pass auto, cpu, cuda or cuda:0, cuda:1, ...")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"`device` {name}: this machine has {torch.cuda.device_count()} CUDA devices; "
            "pass `device=cpu`"
        )
    return torch.device(name)
