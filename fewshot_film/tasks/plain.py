"""Plain N-way K-shot tasks."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import check_counts
from fewshot_film.tasks.drawing import Members, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet


@final
class EpisodeSampler:
    """rng -> N-way K-shot episodes, classes and images drawn without replacement (Vinyals 2016).

    Random numbers are made where `rng` lives and images are gathered where the data live, so a
    CPU generator draws the same episodes on every device. Classes may differ in size.
    """

    def __init__(
        self, data: ImageSet, way: int, shot: int, query: int, *, group: str = "all"
    ) -> None:
        """`group` is what the tasks are called."""
        self.groups = (group,)
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.members = Members(data)
        check_counts(way=way, shot=shot, query=query)
        self.members.check(data, way, shot + query)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        classes = draw_distinct(torch.full((tasks,), len(self.data.names)), self.way, rng)
        rows = draw_distinct(self.members.counts[classes], self.shot + self.query, rng)
        index = self.members.images(classes, rows).to(self.data.device)
        return Episode(
            support=self._labeled(index[..., : self.shot]),
            query=self._labeled(index[..., self.shot :]),
            way=self.way,
            class_ids=classes.to(self.data.device),
            group=torch.zeros(tasks, dtype=torch.int64, device=self.data.device),
        )

    def _labeled(self, index: Int64[Tensor, "task way image"]) -> LabeledSet:
        labels = torch.arange(self.way, device=index.device).repeat_interleave(index.shape[-1])
        return LabeledSet(
            as_float(self.data.images[index.flatten(1)]), labels.expand(len(index), -1)
        )
