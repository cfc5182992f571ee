"""A matrix along either axis: what smooths, averages or shrinks each image by its own measure."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.tasks.imaging.shapes import Images


def along(
    images: Images,
    rows: Float[Tensor, "image height height"],
    columns: Float[Tensor, "image width width"],
) -> Images:
    """x -> rows x columns', kept within [0, 1]: every new pixel is a mean of old ones.

    The rows of both matrices add to 1, but for rounding.
    """
    across = torch.bmm(images.flatten(1, 2), columns.mT).view_as(images)
    return (rows.unsqueeze(1) @ across).clamp_(0, 1)


def centres(side: int, device: torch.device) -> Float[Tensor, " {side}"]:
    """Where pixels lie along an axis: from -1 at one edge to 1 at the other."""
    return (torch.arange(side, device=device) * 2 + 1) / side - 1
