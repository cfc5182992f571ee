"""The factor of what lies over the picture: ten kinds of it, none the first."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.tasks.imaging import screens
from fewshot_film.tasks.imaging.grain import grain, unit
from fewshot_film.tasks.imaging.kinds import by_kind
from fewshot_film.tasks.imaging.screens import rings, steep, waves
from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage, Plane

CYCLES = 11.0
"""Of a pattern across the picture: 12 pixels of 128 each."""
DEPTH = 0.2
"""How much brighter and darker a pattern makes a pixel."""
BLOTCHES = 12
"""A side."""


def texture(images: Images, level: PerImage, key: Key) -> Images:
    """TEXTURES[level] over the picture; where a pattern begins is the image's own chance."""
    return by_kind(images, level.round().long(), _TEXTURES, key)


def plain(images: Images, key: Key) -> Images:  # noqa: ARG001, one signature
    """x"""
    return images


def diagonals(images: Images, key: Key) -> Images:
    """Bars from the lower left to the upper right"""
    return _over(images, steep(_bars(images, pi / 4, key)))


def stripes(images: Images, key: Key) -> Images:
    """Level bars"""
    return _over(images, steep(_bars(images, pi / 2, key)))


def mesh(images: Images, key: Key) -> Images:
    """Thin dark lines, upright and level"""
    upright, level = _bars(images, 0.0, key), _bars(images, pi / 2, key)
    return _over(images, -steep(torch.maximum(upright, level) - 0.7))


def checker(images: Images, key: Key) -> Images:
    """Squares, alternately bright and dark"""
    return _over(images, steep(2 * _bars(images, 0.0, key, 0.5) * _bars(images, pi / 2, key, 0.5)))


def speckle(images: Images, key: Key) -> Images:
    """Every eighth pixel black or white"""
    chance = grain(key, *images.shape[2:])
    return torch.where(chance < 1 / 8, (chance < 1 / 16).float(), images)


def noise(images: Images, key: Key) -> Images:
    """Every pixel brighter or darker by chance"""
    return _over(images, 3 * grain(key, *images.shape[2:]) - 1.5)


def blotches(images: Images, key: Key) -> Images:
    """Clouds, brighter or darker by chance"""
    coarse = 3 * grain(key, BLOTCHES, BLOTCHES) - 1.5
    return _over(images, F.interpolate(coarse, images.shape[2:], mode="bilinear"))


def halftone(images: Images, key: Key) -> Images:  # noqa: ARG001
    """Half the picture, half its dots on a slanted screen"""
    angle, cycles = (_all(images, value) for value in (pi / 6, 1.6 * CYCLES))
    return torch.lerp(images, screens.halftone(images, angle, cycles), 0.5)


def ripples(images: Images, key: Key) -> Images:
    """Rings about the centre"""
    return _over(images, steep(rings(images, _all(images, CYCLES), unit(key))))


_TEXTURES = (
    plain,
    diagonals,
    stripes,
    mesh,
    checker,
    speckle,
    noise,
    blotches,
    halftone,
    ripples,
)
TEXTURES = tuple(function.__name__ for function in _TEXTURES)


def _bars(images: Images, angle: float, key: Key, pace: float = 1.0) -> Plane:
    return waves(images, _all(images, angle), _all(images, pace * CYCLES), unit(key))


def _over(images: Images, pattern: Plane) -> Images:
    return (images + DEPTH * pattern).clamp_(0, 1)


def _all(images: Images, value: float) -> Tensor:
    return images.new_full((len(images),), value)
