"""Small coloured images: such that tell their number, and such as have shapes and shades."""

from dataclasses import replace

import making
import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.data.image_set import ImageSet


def numbered(counts: list[int], size: int = 8, domains: int = 1, seed: int = 0) -> ImageSet:
    """making.image_set in three equal channels: image i's first two pixels spell i."""
    data = making.image_set(counts, domains, size, seed)
    return replace(data, images=data.images.expand(-1, 3, -1, -1).contiguous())


def taken(count: int, size: int = 48, seed: int = 0) -> Tensor:
    """(count, 3, size, size) in [0, 1]: shades, a plain shape with edges, ever finer detail."""
    rng = making.seeded(seed)

    def shades(channels: int, side: int) -> Tensor:
        coarse = torch.rand(count, channels, side, side, generator=rng)
        return F.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)

    shape, colour = shades(1, 4) > 0.55, torch.rand(count, 3, 1, 1, generator=rng)
    scene = torch.where(shape, colour, shades(3, 5))
    detail = (shades(3, 9) + shades(1, 16) + shades(1, 30)) / 3
    return (0.6 * scene + 0.8 * detail - 0.2).clamp(0, 1)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """How far each image is from the other, a pixel's range being 1."""
    return (a - b).abs().flatten(1).mean(1)
