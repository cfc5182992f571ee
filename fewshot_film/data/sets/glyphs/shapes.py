"""(glyphs, size, slant, rotation, shift, weight) -> the same glyphs in another shape."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.base.seeding import uniform

Images = Float[Tensor, "image channel side side"]
PerImage = Float[Tensor, " image"]


@torch.no_grad()
def deform(
    images: Images,
    size: PerImage,
    slant: PerImage,
    rotation: PerImage | None = None,
    shift: Float[Tensor, "image 2"] | None = None,
) -> Images:
    """y = R(rotation) L(slant) size x + shift about the image's centre, zeros from outside.

    `size` is a factor; `slant` the tangent of the angle, positive leans right as italics do;
    `rotation` in degrees, positive is counter-clockwise; `shift` in pixels, right and down.
    """
    angle = torch.zeros_like(size) if rotation is None else rotation.deg2rad()
    cos, sin = angle.cos(), angle.sin()
    # Sampling asks where each output pixel comes from: the inverse map, with y pointing down.
    rows = [cos + slant * sin, slant * cos - sin, sin, cos]
    inverse = torch.stack(rows, dim=-1).view(-1, 2, 2) / size.view(-1, 1, 1)
    half = images.shape[-1] / 2
    offset = torch.zeros_like(inverse[:, :, :1])
    if shift is not None:
        offset = -inverse @ (shift / half).unsqueeze(-1)
    theta = torch.cat([inverse, offset], dim=-1).to(images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


@torch.no_grad()
def weigh(images: Images, weight: PerImage) -> Images:
    """x + w (grown - x) for w > 0, x + |w| (thinned - x) for w < 0, -1 <= w <= 1.

    Grown and thinned strokes are one pixel wider or narrower on every side, so a thin stroke has
    gone at -1 and should not be taken below -0.5.
    """
    weight = weight.view(-1, 1, 1, 1).to(images.dtype)
    return torch.lerp(
        images, torch.where(weight > 0, grown(images), 1 - grown(1 - images)), weight.abs()
    )


def grown(images: Images) -> Images:
    """Each pixel's largest neighbour within 3x3, cheaper on a CPU than a max-pool."""
    padded = F.pad(images, (1, 1, 1, 1))
    across = torch.maximum(torch.maximum(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:])
    return torch.maximum(
        torch.maximum(across[..., :-2, :], across[..., 1:-1, :]), across[..., 2:, :]
    )


def jittered(
    images: Float[Tensor, "image 1 height width"], rng: torch.Generator
) -> Float[Tensor, "image 1 height width"]:
    """Each image under a mild affine map of its own."""
    count, device = (len(images),), images.device
    return deform(
        images,
        size=uniform(count, 0.8, 1.0, rng, device),
        slant=uniform(count, -0.2, 0.2, rng, device),
        rotation=uniform(count, -10.0, 10.0, rng, device),
        shift=uniform((len(images), 2), -2.0, 2.0, rng, device),
    )
