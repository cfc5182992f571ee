"""Tasks whose support comes from one domain and whose queries come from others."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import check_counts
from fewshot_film.tasks.domain_cells import DomainCells, draw_domain_and_classes, eligible_classes
from fewshot_film.tasks.drawing import draw_distinct
from fewshot_film.tasks.episode import Episode


@final
class CrossDomainSampler:
    """rng -> tasks with support in one domain (such as a typeface), queries in all the others.

    The support domain is drawn among those that offer enough classes; a class takes part where it
    has `shot` images inside the domain and `query` images outside it.
    """

    groups = ("cross-domain",)

    def __init__(self, data: ImageSet, way: int, shot: int, query: int) -> None:
        check_counts(way=way, shot=shot, query=query)
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.cells = DomainCells(data)
        counts = self.cells.counts
        self.outside = counts.sum(1, keepdim=True) - counts
        fit = (counts >= shot) & (self.outside >= query)
        asked = f"{shot} images inside and {query} outside of it"
        self.eligible = eligible_classes(fit, way, asked)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        domain, classes = draw_domain_and_classes(self.eligible, tasks, self.way, rng)
        return Episode(
            support=self.cells.labeled(self._inside(classes, domain, rng)),
            query=self.cells.labeled(self._others(classes, domain, rng)),
            way=self.way,
            class_ids=classes.to(self.data.device),
            group=torch.zeros(tasks, dtype=torch.int64, device=self.data.device),
        )

    def _inside(
        self,
        classes: Int64[Tensor, "task way"],
        domain: Int64[Tensor, "task 1"],
        rng: torch.Generator,
    ) -> Int64[Tensor, "task way shot"]:
        rows = draw_distinct(self.cells.counts[classes, domain], self.shot, rng)
        return self.cells.images(classes, domain, rows)

    def _others(
        self,
        classes: Int64[Tensor, "task way"],
        domain: Int64[Tensor, "task 1"],
        rng: torch.Generator,
    ) -> Int64[Tensor, "task way query"]:
        rows = draw_distinct(self.outside[classes, domain], self.query, rng)
        first = torch.zeros_like(domain)
        starts, counts = self.cells.starts, self.cells.counts
        before = (starts[classes, domain] - starts[classes, first]).unsqueeze(-1)
        # rows count the class's images without the support domain's, which lie in one block
        skipped = torch.where(rows >= before, counts[classes, domain].unsqueeze(-1), 0)
        return self.cells.images(classes, first, rows + skipped)
