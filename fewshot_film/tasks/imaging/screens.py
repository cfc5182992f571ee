"""Regular patterns with soft edges: -1 to 1 at every pixel."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from fewshot_film.tasks.imaging.colour import luma
from fewshot_film.tasks.imaging.sampling import grid
from fewshot_film.tasks.imaging.shapes import Images, PerImage, Plane

STEEPNESS = 3.0
"""Of an edge. Where one is a step, rounding would decide a pixel, on another device otherwise."""


def waves(images: Images, angle: PerImage, cycles: PerImage, phase: PerImage) -> Plane:
    """sin(2 pi (cycles x + phase)), x from 0 to 1 across the picture in the angle's direction."""
    x, y = (part.unsqueeze(1) for part in grid(images).unbind(-1))
    cos, sin, cycles, phase = map(_wide, (angle.cos(), angle.sin(), cycles, phase))
    return (2 * pi * (cycles * (cos * x + sin * y) / 2 + phase)).sin()


def rings(images: Images, cycles: PerImage, phase: PerImage) -> Plane:
    """Waves that go out from the centre."""
    radius = grid(images).norm(dim=-1).unsqueeze(1)
    return (2 * pi * (_wide(cycles) * radius / 2 + _wide(phase))).sin()


def steep(pattern: Plane) -> Plane:
    """A wave -> bars with soft edges."""
    return (STEEPNESS * pattern).clamp(-1, 1)


def halftone(images: Images, angle: PerImage, cycles: PerImage) -> Plane:
    """Dots on a screen, the larger the brighter the picture; 0 or 1 but for their edges."""
    still = torch.zeros_like(angle)
    across = waves(images, angle, cycles, still)
    down = waves(images, angle + pi / 2, cycles, still)
    screen = (across + down) / 4 + 0.5
    return (STEEPNESS * (luma(images) + screen - 1) + 0.5).clamp(0, 1)


def _wide(values: PerImage) -> Tensor:
    return values.view(-1, 1, 1, 1)
