"""The glyphs in every rendering, as a data set whose domains are the renderings."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet, joined
from fewshot_film.data.sets.glyphs import load
from fewshot_film.data.sets.glyphs.renderings import RENDERINGS, in_all
from fewshot_film.data.sets.glyphs.shapes import jittered
from fewshot_film.data.source import SPLITS, DataSource

CHUNK = 2048
"""Images that are drawn at once, in all renderings."""


@lru_cache(maxsize=len(SPLITS))
def load_by_rendering(root: Path, split: str) -> ImageSet:
    """split -> its characters once in each rendering, mildly deformed.

    The domain of an image is its rendering. The deformations are the same at every load.
    """
    plain, rng = load.load(root, split), torch.Generator().manual_seed(0)
    drawn = torch.cat([_drawn(part, rng) for part in plain.images.split(CHUNK)], dim=1)
    return joined(
        [
            replace(plain, images=images, domains=plain.domains * 0, domain_names=(name,))
            for name, images in zip(RENDERINGS, drawn, strict=True)
        ]
    )


def _drawn(
    images: UInt8[Tensor, "image 1 height width"], rng: torch.Generator
) -> UInt8[Tensor, "rendering image 1 height width"]:
    deformed = jittered(as_float(images), rng)
    return (in_all(deformed, rng) * 255).round().byte()


BY_RENDERING = DataSource(
    name="glyphs-renderings",
    summary="letters of the world's scripts in eight renderings, which are the domains",
    licence=load.SOURCE.licence,
    channels=1,
    size=28,
    classes=load.SOURCE.classes,
    images={split: len(RENDERINGS) * count for split, count in load.SOURCE.images.items()},
    obtain=load.SOURCE.obtain,
    load=load_by_rendering,
    present=load.SOURCE.present,
    domains=RENDERINGS,
)
