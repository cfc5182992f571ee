"""The factor of how much detail is left."""

from __future__ import annotations

from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage
from fewshot_film.tasks.imaging.smoothing import blurred


def blur(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001, one signature
    """A Gaussian of 0.005 k + 0.0001 k^2 of the side at level k, 0 to 6.8 pixels of 128."""
    level = level.clamp(min=0)
    return blurred(images, 0.005 * level + 0.0001 * level.square())
