"""Image transforms on whole batches, seeded, on the images' device."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.base.family import Family
from fewshot_film.base.seeding import uniform

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey of equal brightness (Rec. 601)."""


def with_channels(
    images: Float[Tensor, "image channel height width"], channels: int
) -> Float[Tensor, "image {channels} height width"]:
    """Grey images repeated into three channels, or colour ones as their luma."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    return (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def unchanged(
    images: Float[Tensor, "image channel height width"],
    rng: torch.Generator,  # noqa: ARG001, one signature
) -> Float[Tensor, "image channel height width"]:
    """Images as they are."""
    return images


def flip_and_crop(
    images: Float[Tensor, "image channel height width"], rng: torch.Generator
) -> Float[Tensor, "image channel height width"]:
    """A left-right flip of every second image on average, and a crop out of a padded image.

    Padding is an eighth of the side, with the edge's mirror image; both offsets are drawn for
    every image.
    """
    height, width = images.shape[2:]
    return shifted_crop(flipped(images, rng), height // 8, width // 8, rng)


def flip_and_crop_diagonal(
    images: Float[Tensor, "image channel height width"], rng: torch.Generator
) -> Float[Tensor, "image channel height width"]:
    """As flip_and_crop, but down as far as right (TADAM's code, Oreshkin et al. 2018).

    Padding is an eighth of the shorter side; one offset is drawn for every image.
    """
    margin = min(images.shape[2:]) // 8
    mirrored = flipped(images, rng)
    offset = offsets(len(images), margin, rng, images.device)
    return cropped(mirrored, margin, margin, offset, offset)


def flipped(
    images: Float[Tensor, "image channel height width"], rng: torch.Generator
) -> Float[Tensor, "image channel height width"]:
    """Every second image on average mirrored left to right."""
    flip = uniform((len(images),), 0.0, 1.0, rng, images.device) < 0.5
    return torch.where(flip.view(-1, 1, 1, 1), images.flip(3), images)


def shifted_crop(
    images: Float[Tensor, "image channel height width"],
    rows: int,
    columns: int,
    rng: torch.Generator,
) -> Float[Tensor, "image channel height width"]:
    """Each image moved by up to +-rows and +-columns pixels over its mirrored border."""
    top = offsets(len(images), rows, rng, images.device)
    left = offsets(len(images), columns, rng, images.device)
    return cropped(images, rows, columns, top, left)


def offsets(
    count: int, margin: int, rng: torch.Generator, device: torch.device
) -> Int64[Tensor, "{count} 1"]:
    """Numbers from 0 to 2 * margin, every one equally likely."""
    return uniform((count, 1), 0.0, 2.0 * margin + 1, rng, device).long()


def cropped(
    images: Float[Tensor, "image channel height width"],
    rows: int,
    columns: int,
    top: Int64[Tensor, "image 1"],
    left: Int64[Tensor, "image 1"],
) -> Float[Tensor, "image channel height width"]:
    """Each image's window at (top, left) of itself padded by rows and columns of mirror image."""
    count, channels, height, width = images.shape
    padded = F.pad(images, (columns, columns, rows, rows), mode="reflect")
    device = images.device
    y = (top + torch.arange(height, device=device)).view(count, 1, height, 1)
    x = (left + torch.arange(width, device=device)).view(count, 1, 1, width)
    image = torch.arange(count, device=device).view(count, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(1, channels, 1, 1)
    return padded[image, channel, y, x]


AUGMENTATIONS: Family[Tensor] = Family(
    "augmentation",
    ("images", "rng"),
    none=unchanged,
    flip_crop=flip_and_crop,
    flip_crop_diagonal=flip_and_crop_diagonal,
)
