"""Pixels: bytes as floats, and the checks at the door of everything that takes images."""

from __future__ import annotations

import torch
from torch import Tensor

from fewshot_film.errors import UsageError


def as_float(images: Tensor) -> Tensor:
    """uint8 in 0..255 -> float32 in [0, 1]: x / 255, rounded once, on every device.

    What is float16 are readings (see `Extractor.read`), which stay what they are.
    """
    if images.dtype == torch.float16:
        return images.float()
    # CUDA multiplies by the reciprocal of a number, which is off by a bit for some bytes; by a
    # tensor on its own device it divides.
    return images.float().div_(images.new_full((), 255, dtype=torch.float32))


def check_held(images: Tensor) -> None:
    """Tensors of bytes or floats with all four axes."""
    if not isinstance(images, Tensor):
        raise UsageError(f"images are a tensor, these are {type(images).__name__}; convert them")
    if images.ndim != 4:
        raise UsageError(f"images are (N, C, H, W), these have the shape {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
        raise UsageError(f"images are uint8 or float, these are {images.dtype}; use .byte()")


def check_pixels(images: Tensor) -> None:
    """Images as they are held, or an error that says how they came instead."""
    check_held(images)
    if images.dtype == torch.uint8 or not images.numel():
        return
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= 0 and high <= 1):  # a comparison with NaN is false
        raise UsageError(
            f"float images are in [0, 1], these go from {low:.4g} to {high:.4g}; divide pixels by "
            "255, or pass them as uint8"
        )


def as_pixels(images: Tensor) -> Tensor:
    """uint8 or float images -> floats."""
    return as_float(images) if images.dtype == torch.uint8 else images
