"""The glyphs: characters of many scripts in many typefaces, shipped with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.glyphs import store
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError


def load(root: Path, split: str) -> ImageSet:  # noqa: ARG001, every data set is given the root
    """split -> its characters; the domain of an image is its typeface family."""
    return of_split(store.shipped(), split)


def of_split(arrays: store.Arrays, split: str) -> ImageSet:
    """What a glyphs file holds of a split; labels count from 0 within it."""
    if split not in SPLITS:
        raise UsageError(f"no split {split!r} of the glyphs; choose one of {', '.join(SPLITS)}")
    classes = np.flatnonzero(arrays["splits"] == split)
    kept = np.isin(arrays["labels"], classes)
    return ImageSet(
        images=torch.from_numpy(arrays["images"][kept]).unsqueeze(1),
        labels=torch.from_numpy(np.searchsorted(classes, arrays["labels"][kept])),
        names=tuple(str(name) for name in arrays["names"][classes]),
        domains=torch.from_numpy(arrays["families"][kept].astype(np.int64)),
        domain_names=tuple(str(name) for name in arrays["family_names"]),
    )


SOURCE = DataSource(
    name="glyphs",
    summary="letters of the world's scripts, each in up to a dozen open typefaces",
    licence="images Apache-2.0 like the package, drawn with OFL-1.1 and Bitstream Vera fonts",
    channels=1,
    size=28,
    classes={"train": 2199, "val": 301, "test": 403},
    images={"train": 17895, "val": 2231, "test": 3184},
    obtain="ships with the package",
    load=load,
    present=lambda root: store.FILE.exists(),  # noqa: ARG005
)
