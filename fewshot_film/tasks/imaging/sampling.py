"""Pictures looked at through a map of coordinates."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.tasks.imaging.along import centres
from fewshot_film.tasks.imaging.shapes import Images, PerImage, Points


def grid(images: Images) -> Points:
    """Where each pixel is."""
    y, x = (centres(side, images.device) for side in images.shape[2:])
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return points.expand(len(images), -1, -1, -1)


def sampled(images: Images, points: Points) -> Images:
    """Each pixel is what the image shows at its point; beyond the edges lies the mirror image."""
    seen = F.grid_sample(images, points, padding_mode="reflection", align_corners=False)
    return seen.clamp_(0, 1)


def mapped(points: Points, matrix: Float[Tensor, "image 2 2"]) -> Points:
    """p -> matrix p"""
    return torch.bmm(points.flatten(1, 2), matrix.mT).view(points.shape)


def turned(points: Points, angle: PerImage) -> Points:
    """R p, which turns the picture counter-clockwise.

    Where the picture is not square, it is turned as if it were and then drawn out again.
    """
    cos, sin = angle.cos(), angle.sin()
    return mapped(points, torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2))
