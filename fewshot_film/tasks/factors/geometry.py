"""Factors of where and how the picture stands in its frame."""

from __future__ import annotations

from math import pi

import torch

from fewshot_film.tasks.factors.base import LEVELS
from fewshot_film.tasks.imaging.placing import placed
from fewshot_film.tasks.imaging.sampling import grid, sampled, turned
from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage

SMALLEST = 0.42
"""Of the side: the last level of size."""
SHARE = 0.65
"""Of the side, which a picture keeps that is moved."""


def rotation(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001, one signature
    """The picture turned counter-clockwise by a tenth of a turn a level, corners mirrored."""
    return sampled(images, turned(grid(images), 2 * pi / LEVELS * level))


def size(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001
    """The picture at 1 to SMALLEST of its side, in equal ratios, on a blur of itself."""
    centre = images.new_zeros(len(images), 2)
    return placed(images, SMALLEST ** (level / (LEVELS - 1)), centre)


def position(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001
    """The picture at SHARE of its side, at one of ten places on a circle, the right one first.

    The places of training are 72 degrees apart, and those held out lie between them.
    """
    angle = 2 * pi / LEVELS * level
    centre = (1 - SHARE) * torch.stack([angle.cos(), -angle.sin()], dim=1)
    return placed(images, torch.full_like(level, SHARE), centre)
