"""Tasks that ask for one of two labellings which images bring along, such as class and domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.asking import Nuisance, check_nuisance, labelled_by
from fewshot_film.tasks.episode import Episode, LabeledSet
from fewshot_film.tasks.two_codes import CrossedCodes, MixedCodes


@final
class NaturalLabellingSampler:
    """rng -> tasks on images that have two labellings, labelled by one; each is half of the tasks.

    `labellings` names the two, with the code of every image. With crossed nuisance a task has `way`
    codes of each, in all pairs: whichever is asked, both take their codes equally often in support
    and in query, and in every class as equally as can be, so that images do not tell which it is.
    With mixed nuisance a task has `way` codes of what is asked, and any images of those. No image
    is twice in a task; codes or pairs of too few images take no part.

    Crossed pairs are used evenly over support and query together. So a pair of codes needs only one
    image while shot plus query are no more than `way`; the queries' pairs are then others than the
    support's, and whoever goes by the nuisance is led astray rather than left to chance.

    Where one labelling divides the other nothing can be crossed: see NestedLabellingSampler.
    """

    def __init__(
        self,
        data: ImageSet,
        way: int,
        shot: int,
        query: int,
        *,
        labellings: Mapping[str, Int64[Tensor, " image"]],
        nuisance: Nuisance = "crossed",
    ) -> None:
        check_counts(way=way, shot=shot, query=query)
        check_nuisance(nuisance)
        if len(labellings) != 2:
            raise UsageError(
                f"`labellings` holds {len(labellings)} ({', '.join(labellings)}); pass two"
            )
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.groups = tuple(f"which {name}" for name in labellings)
        self.crossed = nuisance == "crossed"
        draws = CrossedCodes if self.crossed else MixedCodes
        self.codes = draws(data, labellings, way, shot + query)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        asked = torch.randint(2, (tasks,), generator=rng, device=rng.device).cpu()
        stored, levels, codes = self.codes.draw(asked, rng)
        halves = (part.split((self.shot, self.query), dim=2) for part in (stored, levels))
        support, query = (
            self._labeled(index.flatten(1), labels.flatten(1, 2), asked)
            for index, labels in zip(*halves, strict=True)
        )
        device, task = self.data.device, torch.arange(tasks)
        return Episode(support, query, self.way, codes[task, asked].to(device), asked.to(device))

    def _labeled(
        self,
        index: Int64[Tensor, "task example"],
        levels: Int64[Tensor, "task example 2"],
        asked: Int64[Tensor, " task"],
    ) -> LabeledSet:
        device = self.data.device
        labels = labelled_by(levels, asked)
        images = as_float(self.data.images[index.to(device)])
        return LabeledSet(images, labels.to(device), levels.to(device) if self.crossed else None)


def class_or_domain(
    data: ImageSet, way: int, shot: int, query: int, *, nuisance: Nuisance = "crossed"
) -> NaturalLabellingSampler:
    """data -> tasks that ask for an image's class or for its domain."""
    labellings = {"class": data.labels, "domain": data.domains}
    return NaturalLabellingSampler(data, way, shot, query, labellings=labellings, nuisance=nuisance)
