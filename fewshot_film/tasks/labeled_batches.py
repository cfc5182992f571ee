"""Batches of plain classification, in the shape of episodes."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import check_counts
from fewshot_film.tasks.drawing import draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet


@final
class SupervisedBatches:
    """rng -> batches of `images` images of all classes: queries without a support set.

    A batch takes the place of a task, and its way is all classes in the order of the data set.
    """

    groups = ("all",)
    shot = 0

    def __init__(self, data: ImageSet, images: int) -> None:
        check_counts(images=images)
        self.data, self.way, self.query = data, len(data.names), min(images, len(data))

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        device = self.data.device
        index = draw_distinct(torch.full((tasks,), len(self.data)), self.query, rng).to(device)
        return Episode(
            support=self._labeled(index[:, :0]),
            query=self._labeled(index),
            way=self.way,
            class_ids=torch.arange(self.way, device=device).expand(tasks, -1),
            group=torch.zeros(tasks, dtype=torch.int64, device=device),
        )

    def _labeled(self, index: Int64[Tensor, "task image"]) -> LabeledSet:
        return LabeledSet(as_float(self.data.images[index]), self.data.labels[index])
