"""The glyphs as a data set of two domains: typefaces of the training, and new ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.glyphs import load
from fewshot_film.data.sets.glyphs.shapes import jittered
from fewshot_film.data.sets.glyphs.split import UNSEEN_FAMILIES
from fewshot_film.data.source import DataSource

DOMAINS = ("known typefaces", "new typefaces")
ENOUGH = 4
"""Images of a class in each domain, in validation and test."""


def load_by_typeface(root: Path, split: str) -> ImageSet:
    """split -> its characters, mildly deformed, with a domain by typeface family.

    New families are kept out of the training split, which is whole; validation and test hold the
    characters of which both domains have ENOUGH.
    """
    plain = load.load(root, split)
    new = torch.tensor([name in UNSEEN_FAMILIES for name in plain.domain_names])
    divided = replace(plain, domains=new.long()[plain.domains], domain_names=DOMAINS)
    kept = divided if split == "train" else divided.of_classes(_large(divided))
    drawn = jittered(as_float(kept.images), torch.Generator().manual_seed(0))
    return replace(kept, images=(drawn * 255).round().byte())


def _large(data: ImageSet) -> list[int]:
    cells = torch.bincount(data.labels * len(DOMAINS) + data.domains, minlength=2 * len(data.names))
    return (cells.view(-1, 2) >= ENOUGH).all(1).nonzero().squeeze(1).tolist()


BY_TYPEFACE = DataSource(
    name="glyphs-new-typefaces",
    summary="letters of the world's scripts, in typefaces of the training and in new ones",
    licence=load.SOURCE.licence,
    channels=1,
    size=28,
    classes={"train": 2199, "val": 98, "test": 144},
    images={"train": 17895, "val": 1065, "test": 1658},
    obtain=load.SOURCE.obtain,
    load=load_by_typeface,
    present=load.SOURCE.present,
    domains=DOMAINS,
)
