"""The factor of how a picture is rendered: ten fixed ways that people know."""

from __future__ import annotations

from math import pi

import torch
from torch.nn import functional as F

from fewshot_film.tasks.imaging import screens, smoothing
from fewshot_film.tasks.imaging.colour import luma, recoloured
from fewshot_film.tasks.imaging.kinds import by_kind
from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage

SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))
"""The matrix that photo editors use."""


def rendering(images: Images, level: PerImage, key: Key) -> Images:  # noqa: ARG001, one signature
    """RENDERINGS[level] of each picture."""
    return by_kind(images, level.round().long(), _RENDERINGS)


def photograph(images: Images) -> Images:
    """x"""
    return images


def negative(images: Images) -> Images:
    """1 - x"""
    return 1 - images


def sepia(images: Images) -> Images:
    """SEPIA x"""
    return recoloured(images, images.new_tensor(SEPIA).expand(len(images), -1, -1))


def poster(images: Images) -> Images:
    """x rounded to thirds"""
    return (3 * images).round() / 3


def drawing(images: Images) -> Images:
    """1 - 3 |gradient of brightness|: dark lines on white (Sobel's gradient)"""
    kernel = images.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]).view(1, 1, 3, 3) / 4
    padded = F.pad(luma(images), (1, 1, 1, 1), mode="replicate")
    across, down = F.conv2d(padded, kernel), F.conv2d(padded, kernel.mT)
    return (1 - 3 * torch.hypot(across, down)).clamp(0, 1).expand(-1, 3, -1, -1)


def mosaic(images: Images) -> Images:
    """The mean of each block, 20 a side"""
    return smoothing.pixelated(images, images.new_full((len(images),), 20.0))


def halftone(images: Images) -> Images:
    """Black dots on white, the larger the darker, 22 a side on a slanted screen"""
    angle, cycles = (images.new_full((len(images),), value) for value in (pi / 5, 22.0))
    return screens.halftone(images, angle, cycles).expand(-1, 3, -1, -1)


def blurred(images: Images) -> Images:
    """x under a Gaussian of 4 hundredths of the side"""
    return smoothing.blurred(images, images.new_full((len(images),), 0.04))


def grey(images: Images) -> Images:
    """Brightness alone"""
    return luma(images).expand(-1, 3, -1, -1)


def swapped(images: Images) -> Images:
    """Red as green, green as blue, blue as red"""
    return images.roll(1, 1)


_RENDERINGS = (
    photograph,
    negative,
    sepia,
    poster,
    drawing,
    mosaic,
    halftone,
    blurred,
    grey,
    swapped,
)
RENDERINGS = tuple(function.__name__ for function in _RENDERINGS)
