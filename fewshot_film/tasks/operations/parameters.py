"""Numbers in [0, 1) -> the parameters of a step, none so small that nobody would see it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fewshot_film.tasks.imaging.shapes import PerImage


def between(number: Float[Tensor, "*any"], low: float, high: float) -> Float[Tensor, "*any"]:
    """low + (high - low) number"""
    return low + (high - low) * number


def either(number: PerImage, low: float, high: float) -> PerImage:
    """A size from low to high, of either sign."""
    signed = 2 * number - 1
    return (low + (high - low) * signed.abs()).copysign(signed)


def signed(numbers: Float[Tensor, "image number"]) -> Float[Tensor, "image number"]:
    """[0, 1) -> [-1, 1)"""
    return 2 * numbers - 1
