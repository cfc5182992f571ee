"""Batches of images of all the classes of a split, for co-training beside the tasks."""

from __future__ import annotations

from typing import final

import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.tasks.episode import LabeledSet


@final
class ClassBatches:
    """rng -> `images` images drawn uniformly without replacement, with their class in `data`."""

    def __init__(self, data: ImageSet, images: int) -> None:
        self.data, self.images = data, min(images, len(data))

    def sample(self, rng: torch.Generator) -> LabeledSet:
        """One batch, as a set of a single task."""
        index = torch.randperm(len(self.data), generator=rng)[: self.images].to(self.data.device)
        images, labels = self.data.images[index], self.data.labels[index]
        return LabeledSet(as_float(images).unsqueeze(0), labels.unsqueeze(0))
