"""Train and val of a data set whose classes are the same in every split: divided by image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError

EVERY = 10


def train_and_val(data: ImageSet) -> Mapping[str, ImageSet]:
    """data -> "train", 9 of 10 images of each class and domain, and "val", every tenth of them.

    Which image goes where depends on its position alone.
    """
    domains = len(data.domain_names)
    cells = data.labels * domains + data.domains
    counts = torch.bincount(cells, minlength=len(data.names) * domains)
    smallest = int(counts.argmin())
    if counts[smallest] < 2:
        raise UsageError(
            f"class {data.names[smallest // domains]!r} has {int(counts[smallest])} images in the "
            f"domain {data.domain_names[smallest % domains]!r}, train and val need 2: add some"
        )
    val = every_tenth(cells)
    return {"train": data.of_images(~val), "val": data.of_images(val)}


def every_tenth(cells: Int64[Tensor, " image"]) -> Bool[Tensor, " image"]:
    """Whether an image is the first, the eleventh, ... of those with its number."""
    order = cells.argsort(stable=True)
    counts = torch.bincount(cells)
    position = torch.empty_like(cells)
    position[order] = torch.arange(len(cells)) - (counts.cumsum(0) - counts)[cells[order]]
    return position % EVERY == 0
