"""The images of each class in each domain, for samplers that choose a task's domains."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks.drawing import draw_among
from fewshot_film.tasks.episode import LabeledSet


class DomainCells:
    """(class, domain) -> the images of both, as an offset and a count into one sorted list."""

    def __init__(self, data: ImageSet) -> None:
        self.data = data
        classes, domains = len(data.names), len(data.domain_names)
        cell = (data.labels * domains + data.domains).cpu()
        self.order = cell.argsort(stable=True)
        self.counts = torch.bincount(cell, minlength=classes * domains).view(classes, domains)
        self.starts = (self.counts.flatten().cumsum(0) - self.counts.flatten()).view_as(self.counts)

    def images(
        self,
        classes: Int64[Tensor, "task way"],
        domain: Int64[Tensor, "task 1"],
        rows: Int64[Tensor, "task way image"],
    ) -> Int64[Tensor, "task way image"]:
        """The data set's index of the given rows of each class in the task's domain.

        Rows beyond the domain go on in the class's next one.
        """
        return self.order[self.starts[classes, domain].unsqueeze(-1) + rows]

    def labeled(self, index: Int64[Tensor, "task way image"]) -> LabeledSet:
        """The images of each task's classes, labelled by the class's place in the task."""
        way, each = index.shape[1:]
        labels = torch.arange(way).repeat_interleave(each).expand(len(index), -1)
        device = self.data.device
        images = as_float(self.data.images[index.flatten(1).to(device)])
        return LabeledSet(images, labels.to(device))


def eligible_classes(
    fit: Bool[Tensor, "class domain"], way: int, asked: str
) -> Bool[Tensor, "domain class"]:
    """The classes that fit, in the domains where `way` of them do; `asked` says what that takes."""
    enough = fit.sum(0) >= way
    if not enough.any():
        raise UsageError(
            f"no domain has {way} classes with {asked}; pass a smaller `way`, `shot` or `query`"
        )
    return fit.T & enough.unsqueeze(1)


def draw_domain_and_classes(
    eligible: Bool[Tensor, "domain class"], tasks: int, way: int, rng: torch.Generator
) -> tuple[Int64[Tensor, "task 1"], Int64[Tensor, "task {way}"]]:
    """A domain for each task, each with eligible classes equally likely, and `way` of those."""
    domain = draw_among(eligible.any(1).expand(tasks, -1), 1, rng)
    return domain, draw_among(eligible[domain.squeeze(1)], way, rng)
