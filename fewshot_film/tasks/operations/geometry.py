"""Steps on where a pixel looks: eleven kinds of it."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.tasks.imaging.kinds import by_kind
from fewshot_film.tasks.imaging.sampling import grid, mapped, sampled, turned
from fewshot_film.tasks.imaging.shapes import Images, Key, PerImage, Points
from fewshot_film.tasks.operations.base import STEPS, Numbers, Operations
from fewshot_film.tasks.operations.parameters import between, either, signed

FLIPS = ((1.0, 0.0, 0.0, -1.0), (0.0, 1.0, 1.0, 0.0), (0.0, -1.0, -1.0, 0.0))
"""Upside down, and about either diagonal: left and right are told in few photographs."""


def applied(operations: Operations, images: Images, key: Key) -> Images:  # noqa: ARG001
    """Image i looked at through the maps of operation i, one after the other.

    However many steps there are, pixels are interpolated once.
    """
    points = grid(images)
    for step in range(STEPS):
        points = by_kind(points, operations.kinds[:, step], GEOMETRY, operations.numbers[:, step])
    return sampled(images, points)


def turn(points: Points, numbers: Numbers) -> Points:
    """R p by 25 to 180 degrees"""
    return turned(points, either(numbers[:, 0], 25 / 180, 1.0) * pi)


def shrink(points: Points, numbers: Numbers) -> Points:
    """p s, s from 1.4 to 2: the picture smaller, mirrored about itself"""
    return points * _wide(between(numbers[:, 0], 1.4, 2.0))


def stretch(points: Points, numbers: Numbers) -> Points:
    """(x s, y / s), s from 1.25 to 1.6 or its inverse"""
    wide = either(numbers[:, 0], 0.22, 0.47).exp()
    return points * torch.stack([wide, 1 / wide], dim=1).view(-1, 1, 1, 2)


def shear(points: Points, numbers: Numbers) -> Points:
    """x + a y or y + a x, a from 0.3 to 0.8"""
    amount, upright = either(numbers[:, 0], 0.3, 0.8), numbers[:, 1] < 0.5
    zero = torch.zeros_like(amount)
    push = torch.stack([amount.where(upright, zero), zero.where(upright, amount)], dim=1)
    return points + points.flip(3) * push.view(-1, 1, 1, 2)


def shift(points: Points, numbers: Numbers) -> Points:
    """p + t, t in any direction and 0.4 to 0.9 long, half the side being 1"""
    return points + _arrow(numbers[:, 0], between(numbers[:, 1], 0.4, 0.9))


def flip(points: Points, numbers: Numbers) -> Points:
    """One of FLIPS of p"""
    chosen = (len(FLIPS) * numbers[:, 0]).long()
    maps = points.new_tensor(FLIPS).view(-1, 2, 2)[chosen]
    return mapped(points, maps)


def wave(points: Points, numbers: Numbers) -> Points:
    """p + a sin(f p' + phase), each axis along the other, half to one and a half waves a side"""
    size = between(numbers[:, :2], 0.1, 0.25).view(-1, 1, 1, 2)
    pace = pi * between(numbers[:, 2:4], 0.5, 1.5).view(-1, 1, 1, 2)
    phase = 2 * pi * numbers[:, 4:6].view(-1, 1, 1, 2)
    return points + size * (pace * points.flip(3) + phase).sin()


def twist(points: Points, numbers: Numbers) -> Points:
    """R p by 60 to 150 degrees at the centre, by none from the edge on"""
    fades = (1 - points.norm(dim=-1)).clamp(min=0)
    angle = either(numbers[:, 0], 60 / 180, 150 / 180).view(-1, 1, 1) * pi * fades
    x, y = points.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def bulge(points: Points, numbers: Numbers) -> Points:
    """p |p|^a, a from 0.4 to 0.9, which swells the centre, or -0.5 to -0.25, which pinches it"""
    swells = numbers[:, 0] < 0.5
    amount = between(numbers[:, 1], 0.4, 0.9).where(swells, between(numbers[:, 1], -0.5, -0.25))
    return points * points.norm(dim=-1, keepdim=True).clamp(min=1e-3) ** _wide(amount)


def crop(points: Points, numbers: Numbers) -> Points:
    """p s + t: a window of 0.45 to 0.75 of the side, anywhere in the picture"""
    share = between(numbers[:, 0], 0.45, 0.75).view(-1, 1, 1, 1)
    return points * share + (1 - share) * signed(numbers[:, 1:3]).view(-1, 1, 1, 2)


def tilt(points: Points, numbers: Numbers) -> Points:
    """p / (1 + a . p), |a| from 0.35 to 0.6: one side nearer than the other"""
    lean = _arrow(numbers[:, 0], between(numbers[:, 1], 0.35, 0.6))
    return points / (1 + (lean * points).sum(3, keepdim=True)).clamp(min=0.15)


GEOMETRY = (turn, shrink, stretch, shear, shift, flip, wave, twist, bulge, crop, tilt)


def _arrow(number: PerImage, length: PerImage) -> Float[Tensor, "image 1 1 2"]:
    angle = 2 * pi * number
    return (torch.stack([angle.cos(), angle.sin()], dim=1) * length.unsqueeze(1)).view(-1, 1, 1, 2)


def _wide(values: PerImage) -> Float[Tensor, "image 1 1 1"]:
    return values.view(-1, 1, 1, 1)
