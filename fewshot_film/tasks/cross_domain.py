"""Tasks whose support comes from one domain and whose queries come from others."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.episodes import (
    Episode,
    LabeledSet,
    as_float,
    check_counts,
    draw_among,
    draw_distinct,
)
from fewshot_film.errors import UsageError


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
        classes, domains = len(data.names), len(data.domain_names)
        cell = (data.labels * domains + data.domains).cpu()
        self.order = cell.argsort(stable=True)
        self.counts = torch.bincount(cell, minlength=classes * domains).view(classes, domains)
        self.starts = (self.counts.flatten().cumsum(0) - self.counts.flatten()).view_as(self.counts)
        self.outside = self.counts.sum(1, keepdim=True) - self.counts
        self.eligible = self._eligible()

    def _eligible(self) -> Bool[Tensor, "domain class"]:
        fit = ((self.counts >= self.shot) & (self.outside >= self.query)).T
        enough = fit.sum(1) >= self.way
        if not enough.any():
            raise UsageError(
                f"no domain has {self.way} classes with {self.shot} images inside and {self.query} "
                "outside of it; pass a smaller --way, --shot or --query"
            )
        return fit & enough.unsqueeze(1)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        usable = self.eligible.any(1).expand(tasks, -1)
        domain = draw_among(usable, 1, rng)
        classes = draw_among(self.eligible[domain.squeeze(1)], self.way, rng)
        return Episode(
            support=self._labeled(self._inside(classes, domain, rng)),
            query=self._labeled(self._others(classes, domain, rng)),
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
        rows = draw_distinct(self.counts[classes, domain], self.shot, rng)
        return self.order[self.starts[classes, domain].unsqueeze(-1) + rows]

    def _others(
        self,
        classes: Int64[Tensor, "task way"],
        domain: Int64[Tensor, "task 1"],
        rng: torch.Generator,
    ) -> Int64[Tensor, "task way query"]:
        rows = draw_distinct(self.outside[classes, domain], self.query, rng)
        first = self.starts[classes, torch.zeros_like(domain)].unsqueeze(-1)
        before = self.starts[classes, domain].unsqueeze(-1) - first
        # rows count the class's images without the support domain's, which lie in one block
        skipped = torch.where(rows >= before, self.counts[classes, domain].unsqueeze(-1), 0)
        return self.order[first + rows + skipped]

    def _labeled(self, index: Int64[Tensor, "task way image"]) -> LabeledSet:
        labels = torch.arange(self.way).repeat_interleave(index.shape[-1]).expand(len(index), -1)
        device = self.data.device
        images = as_float(self.data.images[index.flatten(1).to(device)])
        return LabeledSet(images, labels.to(device))
