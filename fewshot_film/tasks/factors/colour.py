"""Factors of colour and of range."""

from __future__ import annotations

from math import pi

import torch

from fewshot_film.tasks.factors.base import LEVELS
from fewshot_film.tasks.imaging.colour import turned_hue
from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage

CAST = 0.16
"""Of the range of chroma, some 0.6: enough to be told where a picture is grey."""
HIGH, LOW = 0.36, 0.07
"""Standard deviations of pixels: half black and half white is 0.5."""
FLAT = 0.01
"""Nothing is to be seen in a picture that is flatter, and nothing is made of it."""


def hue(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001, one signature
    """Colours turned by a tenth of the circle a level, with a cast that turns along."""
    return turned_hue(images, 2 * pi / LEVELS * level, CAST)


def contrast(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001
    """mean + s (x - mean) / std, where s falls from HIGH to LOW in equal ratios.

    What an image shows is s itself, whatever its own contrast was.
    """
    mean = images.flatten(1).mean(1).view(-1, 1, 1, 1)
    apart = images - mean
    # a quarter of the time that images.std takes
    std = torch.linalg.vector_norm(apart.flatten(1), dim=1) / apart[0].numel() ** 0.5
    wanted = HIGH * (LOW / HIGH) ** (level / (LEVELS - 1))
    return (mean + apart * (wanted / std.clamp(min=FLAT)).view(-1, 1, 1, 1)).clamp_(0, 1)
