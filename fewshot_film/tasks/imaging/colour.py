"""Colours as brightness and chroma, and linear maps of them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.tasks.imaging.shapes import Images, PerImage, Plane
from fewshot_film.tasks.transforms import LUMA

YIQ = torch.tensor([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
"""RGB -> brightness, and chroma along orange to blue and along purple to green (NTSC, 1953)."""
RGB = torch.linalg.inv(YIQ)


def luma(images: Images) -> Plane:
    """The brightness of each pixel."""
    return (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def recoloured(
    images: Images,
    matrix: Float[Tensor, "image 3 3"],
    offset: Float[Tensor, "image 3"] | None = None,
) -> Images:
    """x -> matrix x + offset at every pixel, kept within [0, 1]."""
    mixed = torch.bmm(matrix, images.flatten(2))
    if offset is not None:
        mixed += offset.unsqueeze(2)
    return mixed.clamp_(0, 1).view_as(images)


def turned_hue(images: Images, angle: PerImage, cast: float) -> Images:
    """chroma -> R(angle) (chroma + cast), brightness kept.

    `cast` is a tint of orange that turns with the colours: a grey picture shows the angle too.
    """
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [zero + 1, zero, zero, zero, cos, -sin, zero, sin, cos]
    turn = torch.stack(rows, dim=1).view(-1, 3, 3)
    back, forth = RGB.to(images), YIQ.to(images)
    tint = cast * torch.stack([zero, cos, sin], dim=1)
    return recoloured(images, back @ turn @ forth, tint @ back.T)
