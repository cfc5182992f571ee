"""Steps on the values of pixels: ten kinds of it."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.tasks.imaging import screens, smoothing
from fewshot_film.tasks.imaging.colour import recoloured
from fewshot_film.tasks.imaging.grain import grain
from fewshot_film.tasks.imaging.kinds import by_kind
from fewshot_film.tasks.imaging.screens import steep, waves
from fewshot_film.tasks.imaging.shapes import Images, Key
from fewshot_film.tasks.operations.base import STEPS, Numbers, Operations
from fewshot_film.tasks.operations.parameters import between, signed

KNOTS = 4
"""Segments of a tone curve."""


def applied(operations: Operations, images: Images, key: Key) -> Images:
    """Image i under operation i; `key` is an image's own chance."""
    for step in range(STEPS):
        kind, numbers = operations.kinds[:, step], operations.numbers[:, step]
        images = by_kind(images, kind, COLOUR, numbers, key)
    return images


def matrix(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001, one signature
    """A (x - grey) + b, A random about the identity, b from 0.3 to 0.7 in each colour"""
    random = torch.eye(3, device=images.device) + 0.9 * signed(numbers[:, :9]).view(-1, 3, 3)
    return recoloured(images, random, between(numbers[:, 9:12], 0.3, 0.7) - random.sum(2) / 2)


def tone(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """f(x), f linear between five values from 0 to 1 of each colour"""
    values = numbers[:, : 3 * (KNOTS + 1)].view(-1, 3, KNOTS + 1, 1, 1)
    curve = values[:, :, 0].expand_as(images)
    for knot in range(KNOTS):
        rise = values[:, :, knot + 1] - values[:, :, knot]
        curve = curve + rise * (KNOTS * images - knot).clamp(0, 1)
    return curve


def kernel(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """x through a random filter of 5 x 5 weights that add to 1"""
    weights = 0.8 * signed(numbers[:, :25])
    weights = weights + (1 - weights.sum(1, keepdim=True)) / 25
    filters = weights.view(-1, 1, 5, 5).repeat_interleave(3, 0)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate").flatten(0, 1).unsqueeze(0)
    return F.conv2d(padded, filters, groups=len(filters)).view_as(images).clamp(0, 1)


def blur(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """x under a Gaussian of 1.5 to 5 hundredths of the side"""
    return smoothing.blurred(images, between(numbers[:, 0], 0.015, 0.05))


def sharpening(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """x + a (x - blurred x), a from 2 to 6"""
    smooth = smoothing.blurred(images, between(numbers[:, 0], 0.01, 0.03))
    amount = _wide(between(numbers[:, 1], 2.0, 6.0))
    return (images + amount * (images - smooth)).clamp(0, 1)


def quantisation(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """x rounded to one of 3 to 5 values"""
    steps = _wide(between(numbers[:, 0], 2.0, 5.0).floor())
    return (steps * images).round() / steps


def noise(images: Images, numbers: Numbers, key: Key) -> Images:
    """x + n, n uniform within a bound of 0.25 to 0.6, the same in every colour"""
    chance = 2 * grain(key, *images.shape[2:]) - 1
    return (images + _wide(between(numbers[:, 0], 0.25, 0.6)) * chance).clamp(0, 1)


def pixelation(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """The mean of each block, 12 to 28 a side"""
    return smoothing.pixelated(images, between(numbers[:, 0], 12.0, 28.0))


def solarisation(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """x below a threshold of each colour, 1 - x above it"""
    threshold = between(numbers[:, :3], 0.2, 0.7).view(-1, 3, 1, 1)
    return torch.where(images < threshold, images, 1 - images)


def screen(images: Images, numbers: Numbers, key: Key) -> Images:  # noqa: ARG001
    """Bars over x, or its dots on a screen, at any angle and 6 to 24 a side"""
    angle, cycles = pi * numbers[:, 0], between(numbers[:, 1], 6.0, 24.0)
    depth = _wide(between(numbers[:, 2], 0.15, 0.35))
    barred = (images + depth * steep(waves(images, angle, cycles, numbers[:, 3]))).clamp(0, 1)
    dotted = torch.lerp(images, screens.halftone(images, angle, cycles), 2 * depth)
    return torch.where(_wide(numbers[:, 4]) < 0.5, barred, dotted)


COLOUR = (
    matrix,
    tone,
    kernel,
    blur,
    sharpening,
    quantisation,
    noise,
    pixelation,
    solarisation,
    screen,
)


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
