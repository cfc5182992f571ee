"""The factor of how much detail is left."""

from __future__ import annotations

from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage
from fewshot_film.tasks.imaging.smoothing import blurred


def blur(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001, one signature
    """A Gaussian of 0.007 k^0.85 of the side at level k, 0 to 5.8 pixels of 128.

    The first steps are the longest: they must be seen in small pictures made large, too.
    """
    return blurred(images, 0.007 * level.clamp(min=0) ** 0.85)
