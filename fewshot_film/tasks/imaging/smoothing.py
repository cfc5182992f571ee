"""Less detail, by as much as each image is to have."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.tasks.imaging.along import along
from fewshot_film.tasks.imaging.shapes import Images, PerImage

LEAST = 0.05
"""Pixels; a Gaussian as narrow leaves every pixel as it is."""
NOTHING = 20.0
"""A weight of exp(-NOTHING) or less is none: a CPU multiplies tiny numbers ten times as slowly."""


def blurred(images: Images, sigma: PerImage) -> Images:
    """Each image under a Gaussian of its own; `sigma` is a share of the shorter side.

    Beyond the edge there is nothing: the weights that are left add to 1.
    """
    height, width = images.shape[2:]
    pixels = (sigma * min(height, width)).clamp(min=LEAST)
    return along(images, _gaussian(height, pixels), _gaussian(width, pixels))


def pixelated(images: Images, blocks: PerImage) -> Images:
    """The mean of each block, out of `blocks` a side; blocks at the far edges may be smaller."""
    height, width = images.shape[2:]
    return along(images, _averages(height, blocks), _averages(width, blocks))


def _gaussian(side: int, sigma: PerImage) -> Float[Tensor, "image side side"]:
    place = torch.arange(side, device=sigma.device)
    squared = (place.unsqueeze(1) - place).square()
    exponent = squared / (2 * sigma.square()).view(-1, 1, 1)
    return (-exponent).masked_fill(exponent > NOTHING, -torch.inf).softmax(dim=2)


def _averages(side: int, blocks: PerImage) -> Float[Tensor, "image side side"]:
    place = (torch.arange(side, device=blocks.device) + 0.5) / side
    block = (place * blocks.unsqueeze(1)).floor()
    same = (block.unsqueeze(2) == block.unsqueeze(1)).float()
    return same / same.sum(2, keepdim=True)
