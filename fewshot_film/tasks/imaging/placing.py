"""A picture shrunk and put somewhere into its frame, on a blur of itself."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.tasks.imaging.along import along, centres
from fewshot_film.tasks.imaging.shapes import Images, PerImage, Plane

FEATHER = 0.12
"""Of half the picture's side, over which its edge goes on and fades: no line tells the frame."""
PARTS = 6
"""A side, whose means are all that is left of a picture that lies behind itself."""


def placed(images: Images, scale: PerImage, centre: Float[Tensor, "image 2"]) -> Images:
    """y(p) = x((p - centre) / scale), `scale` at most 1, and beyond its edges a blur of x.

    Black would tell of the frame, and a mirror image would show the object once more.
    """
    places = [
        (centres(side, images.device) - middle.unsqueeze(1)) / scale.unsqueeze(1)
        for side, middle in zip(images.shape[2:], centre.flip(1).T, strict=True)
    ]
    rows, columns = (_shrinking(place, scale) for place in places)
    return torch.lerp(_backdrop(images), along(images, rows, columns), _inside(*places))


def _shrinking(
    place: Float[Tensor, "image side"], scale: PerImage
) -> Float[Tensor, "image side side"]:
    """The old pixels around the place of each new one, as many as fall together there."""
    side = place.shape[1]
    gap = (place.clamp(-1, 1).unsqueeze(2) - centres(side, place.device)).abs() * side / 2
    weights = (1 - gap * scale.view(-1, 1, 1)).clamp_(min=0)
    return weights / weights.sum(2, keepdim=True)


def _inside(y: Float[Tensor, "image height"], x: Float[Tensor, "image width"]) -> Plane:
    """1 within the picture, 0 from FEATHER beyond its edges."""
    down, across = (((1 + FEATHER - place.abs()) / FEATHER).clamp(0, 1) for place in (y, x))
    return (down.unsqueeze(2) * across.unsqueeze(1)).unsqueeze(1)


def _backdrop(images: Images) -> Images:
    """The means of PARTS x PARTS parts, joined by straight lines."""
    rows, columns = (_joined(side, images.device) for side in images.shape[2:])
    return rows @ F.adaptive_avg_pool2d(images, PARTS) @ columns.T


def _joined(side: int, device: torch.device) -> Float[Tensor, "{side} part"]:
    """Pixel -> how much it takes of each part; beyond the outermost middle, of that part alone."""
    place = (centres(side, device) + 1) * PARTS / 2 - 0.5
    gap = place.clamp(0, PARTS - 1).unsqueeze(1) - torch.arange(PARTS, device=device)
    return (1 - gap.abs()).clamp(min=0)
