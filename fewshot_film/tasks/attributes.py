"""Tasks on photographs that differ in a class and in further attributes, labelled by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, final, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.asking import Nuisance, check_nuisance, columns, labelled_by
from fewshot_film.tasks.crossing import crossed
from fewshot_film.tasks.drawing import Members, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet

Look: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(images (image, 3, H, W), which (image,), key (image,)) -> each image at the level that it is to
have, out of those that were drawn; its key is its own chance, if a level takes any."""


@runtime_checkable
class Attribute(Protocol):
    """What any image can be given at any of several levels."""

    @property
    def name(self) -> str:
        """What a task asks for."""
        ...

    def check(self, way: int) -> None:
        """It has `way` levels, or an error says how many there are."""
        ...

    def draw(self, tasks: int, way: int, free: int, rng: torch.Generator) -> Look:
        """`way` distinct levels for each task in turn, and after them `free` others."""
        ...


@final
class AttributeSampler:
    """rng -> tasks over images with a class and a level of each attribute, labelled by one of them.

    What the labels stand for is drawn for every task and attribute. With crossed nuisance each
    attribute takes its levels equally often in support and in query: without the labels, images do
    not tell what is asked, and `LabeledSet.factors` holds every labelling, in the order of `names`.
    With mixed nuisance they have none but the labels, and `class_ids` are of tasks that ask for the
    class. No stored image is twice in a task.

    A task asks for one of `asked`, each equally likely; by default they are all `names`.
    """

    def __init__(
        self,
        data: ImageSet,
        way: int,
        shot: int,
        query: int,
        attributes: Sequence[Attribute],
        asked: Sequence[str] | None = None,
        nuisance: Nuisance = "crossed",
    ) -> None:
        check_counts(way=way, shot=shot, query=query)
        check_nuisance(nuisance)
        _check_coloured(data)
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.attributes, self.mixed = tuple(attributes), nuisance == "mixed"
        self.names = ("class", *(attribute.name for attribute in attributes))
        self.askable = torch.tensor(columns(self.names, asked))
        self.groups = tuple(f"which {self.names[column]}" for column in self.askable.tolist())
        self.members = Members(data)
        self.members.check(data, way, shot + query)
        for attribute in attributes:
            attribute.check(way)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        classes = draw_distinct(torch.full((tasks,), len(self.data.names)), self.way, rng)
        group = torch.randint(len(self.askable), (tasks,), generator=rng, device=rng.device).cpu()
        asked = self.askable[group]
        each = (self.shot, self.query)
        factors = [crossed(tasks, self.way, n, len(self.attributes), rng) for n in each]
        index = self._stored(classes, asked, rng).split(each, dim=2)
        images = self._drawn(
            torch.cat([part.flatten(1) for part in index], dim=1), torch.cat(factors, 1), asked, rng
        )
        halves = images.split([self.way * n for n in each], dim=1)
        support, query = map(self._labeled, halves, factors, (asked, asked))
        device = self.data.device
        return Episode(support, query, self.way, classes.to(device), group.to(device))

    def _stored(
        self,
        classes: Int64[Tensor, "task way"],
        asked: Int64[Tensor, " task"],
        rng: torch.Generator,
    ) -> Int64[Tensor, "task way each"]:
        """Images of each class in turn, or of any where the class is mixed nuisance."""
        each = self.shot + self.query
        rows = draw_distinct(self.members.counts[classes], each, rng)
        index = self.members.images(classes, rows)
        if not self.mixed:
            return index
        population = torch.full((len(classes),), len(self.data))
        others = draw_distinct(population, self.way * each, rng).view_as(index)
        return torch.where((asked == 0).view(-1, 1, 1), index, others)

    def _drawn(
        self,
        index: Int64[Tensor, "task example"],
        factors: Int64[Tensor, "task example factor"],
        asked: Int64[Tensor, " task"],
        rng: torch.Generator,
    ) -> Float[Tensor, "task example 3 height width"]:
        """The stored images with every attribute at its level."""
        tasks, way, count, device = len(index), self.way, index.numel(), self.data.device
        images = as_float(self.data.images[index.flatten().to(device)])
        free = torch.arange(count).view_as(index) + tasks * way
        for column, attribute in enumerate(self.attributes, start=1):
            which = factors[..., column] + way * torch.arange(tasks).unsqueeze(1)
            if self.mixed:
                which = torch.where((asked == column).unsqueeze(1), which, free)
            look = attribute.draw(tasks, way, count if self.mixed else 0, rng)
            key = torch.randint(2**31, (count,), generator=rng, device=rng.device)
            images = look(images, which.flatten().to(device), key.to(device))
        return images.unflatten(0, index.shape)

    def _labeled(
        self,
        images: Float[Tensor, "task example 3 height width"],
        factors: Int64[Tensor, "task example factor"],
        asked: Int64[Tensor, " task"],
    ) -> LabeledSet:
        device = self.data.device
        labels = labelled_by(factors, asked).to(device)
        return LabeledSet(images, labels, None if self.mixed else factors.to(device))


def _check_coloured(data: ImageSet) -> None:
    if data.channels != 3:
        raise UsageError(
            f"attributes are drawn on images of 3 channels, these have {data.channels}; give grey "
            "ones as images.expand(-1, 3, -1, -1)"
        )
