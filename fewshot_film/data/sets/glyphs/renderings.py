"""(bright glyph on black, rendering) -> the same glyph in another look."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.data.sets.glyphs.shapes import grown

Images = Float[Tensor, "image 1 height width"]


def solid(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001, one signature
    """x"""
    return images


def outline(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001
    """dilated x - x: the contour around the stroke, which is hollow"""
    return grown(images) - images


def inverted(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001
    """1 - x"""
    return 1 - images


def noise(images: Images, rng: torch.Generator) -> Images:
    """0.2 + 0.6 x + 0.2 n, n standard normal, kept within [0, 1]"""
    n = torch.randn(images.shape, generator=rng, device=rng.device)
    return (0.2 + 0.6 * images + 0.2 * n.to(images)).clamp(0, 1)


def halftone(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001
    """x on the black squares of a chequerboard, a fifth of it on the white ones"""
    row, column = (torch.arange(n, device=images.device) for n in images.shape[-2:])
    even = (row[:, None] + column) % 2 == 0
    return torch.where(even, images, images / 5)


def dots(images: Images, rng: torch.Generator) -> Images:
    """x with every second pixel, on average, lost"""
    u = torch.rand(images.shape, generator=rng, device=rng.device)
    return images * (u < 0.5).to(images)


def low_contrast(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001
    """0.4 + 0.2 x"""
    return 0.4 + 0.2 * images


def blur(images: Images, rng: torch.Generator) -> Images:  # noqa: ARG001
    """x smoothed by the binomial of order 6 along both axes, about a Gaussian of 1.2 pixels"""
    weights = torch.tensor([1, 6, 15, 20, 15, 6, 1], device=images.device).to(images) / 64
    across = F.conv2d(images, weights.view(1, 1, 1, 7), padding=(0, 3))
    return F.conv2d(across, weights.view(1, 1, 7, 1), padding=(3, 0))


_FUNCTIONS: tuple[Callable[[Tensor, torch.Generator], Tensor], ...] = (
    solid,
    outline,
    inverted,
    noise,
    halftone,
    dots,
    low_contrast,
    blur,
)

RENDERINGS = tuple(function.__name__.replace("_", " ") for function in _FUNCTIONS)

# Training may use the five that change shape, polarity and texture, so that a task can ask for one
# of five. Each unseen one is a change of another kind: ink lost at random, range, sharpness.
SEEN = (0, 1, 2, 3, 4)
UNSEEN = (5, 6, 7)


@torch.no_grad()
def render(images: Images, rendering: Int64[Tensor, " image"], rng: torch.Generator) -> Images:
    """image i in [0, 1] -> RENDERINGS[rendering[i]] of it, in [0, 1].

    The whole batch is drawn in every rendering: what `rng` gives does not depend on `rendering`,
    and nothing waits for the device.
    """
    return in_all(images, rng)[rendering, torch.arange(len(images), device=images.device)]


@torch.no_grad()
def in_all(images: Images, rng: torch.Generator) -> Float[Tensor, "rendering image 1 height width"]:
    """image in [0, 1] -> it in every one of RENDERINGS."""
    return torch.stack([function(images, rng) for function in _FUNCTIONS])
