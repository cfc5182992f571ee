"""Tasks whose queries are drawn from all classes at once, so that classes differ in number."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.drawing import Members, draw_among, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet


@final
class UniformQuerySampler:
    """rng -> N-way K-shot tasks, each with way * query queries out of all that the support leaves.

    Every remaining image of the task's classes is equally likely, whatever its class, so a class
    may have more queries than another, or none (TADAM, Oreshkin et al. 2018, draws them so).
    """

    groups = ("all",)

    def __init__(self, data: ImageSet, way: int, shot: int, query: int) -> None:
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.members = Members(data)
        check_counts(way=way, shot=shot, query=query)
        self._check()

    def _check(self) -> None:
        """Every class has `shot` images, and any `way` classes have as many as a task."""
        way, counts, names = self.way, self.members.counts, self.data.names
        self.members.check(self.data, way, 0)  # enough classes, whatever they hold
        first, *_, last = smallest = counts.argsort(stable=True)[:way].tolist()
        if counts[first] < self.shot:
            raise UsageError(
                f"class {names[first]!r} has {int(counts[first])} images, shot asks for "
                f"{self.shot}; pass a smaller `shot`"
            )
        images, needed = int(counts[smallest].sum()), way * (self.shot + self.query)
        if images < needed:
            raise UsageError(
                f"the {way} smallest classes, {names[first]!r} to {names[last]!r}, have {images} "
                f"images, {way} times shot plus query ask for {needed}; pass a smaller `shot` or "
                "`query`"
            )

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        classes = draw_distinct(torch.full((tasks,), len(self.data.names)), self.way, rng)
        rows = draw_distinct(self.members.counts[classes], self.shot, rng)
        labels = torch.arange(self.way).repeat_interleave(self.shot).expand(tasks, -1)
        return Episode(
            support=self._labeled(classes, labels, rows.flatten(1)),
            query=self._labeled(classes, *self._remaining(classes, rows, rng)),
            way=self.way,
            class_ids=classes.to(self.data.device),
            group=torch.zeros(tasks, dtype=torch.int64, device=self.data.device),
        )

    def _remaining(
        self,
        classes: Int64[Tensor, "task way"],
        support: Int64[Tensor, "task way shot"],
        rng: torch.Generator,
    ) -> tuple[Int64[Tensor, "task example"], Int64[Tensor, "task example"]]:
        """Labels and rows of the queries, out of the rows that the support does not hold."""
        counts = self.members.counts[classes]
        longest = int(counts.max())
        free = torch.arange(longest) < counts.unsqueeze(-1)
        free.scatter_(2, support, False)
        drawn = draw_among(free.flatten(1), self.way * self.query, rng)
        return drawn // longest, drawn % longest

    def _labeled(
        self,
        classes: Int64[Tensor, "task way"],
        labels: Int64[Tensor, "task example"],
        rows: Int64[Tensor, "task example"],
    ) -> LabeledSet:
        index = self.members.images(classes.gather(1, labels), rows.unsqueeze(2)).squeeze(2)
        device = self.data.device
        return LabeledSet(as_float(self.data.images[index.to(device)]), labels.to(device))
