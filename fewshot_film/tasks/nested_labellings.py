"""Tasks that ask for a class or for the group that it is in, such as character and alphabet."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.drawing import Members, draw_among, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet


@final
class NestedLabellingSampler:
    """rng -> tasks that ask for the class, or for the group that each class lies in; half are each.

    The two cannot be crossed, so each is asked where the other one is of no use. Tasks of classes
    have those of one group, which tells none apart. In tasks of groups the queries are of classes
    that the support set has no image of: each group's classes are divided between both, the odd
    one to the support, so that only what a group has in common carries over. So the images do tell
    which it is: a label of the support set is one class, or several.

    `groups_of` is the group of each image; all images of a class have the same.
    """

    def __init__(
        self,
        data: ImageSet,
        way: int,
        shot: int,
        query: int,
        *,
        groups_of: Int64[Tensor, " image"],
        names: tuple[str, str] = ("class", "superclass"),
    ) -> None:
        check_counts(way=way, shot=shot, query=query)
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.groups = tuple(f"which {name}" for name in names)
        self.classes = Members(data)
        self.classes.check(data, way, shot + query)
        self.inside = _inside(data, groups_of, names)
        sizes = self.inside.sum(1)
        self.wide, self.divided = sizes >= way, sizes >= 2
        if not self.wide.any() or self.divided.sum() < way:
            raise UsageError(
                f"{way}-way tasks need a {names[1]} of {way} classes and {way} of two or more; the "
                f"largest of {len(sizes)} holds {int(sizes.max())}, {int(self.divided.sum())} hold "
                "two; pass a smaller `way`"
            )
        by_group = replace(data, labels=groups_of, names=tuple(map(str, range(len(sizes)))))
        self.members = Members(by_group)
        self.class_of = data.labels.cpu()[self.members.order]

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        asked = torch.randint(2, (tasks,), generator=rng, device=rng.device).cpu()
        both = [self._of_classes(tasks, rng), self._of_groups(tasks, rng)]
        task, device = torch.arange(tasks), self.data.device
        codes, index = (torch.stack(parts, dim=1)[task, asked] for parts in zip(*both, strict=True))
        return Episode(
            self._labeled(index[..., : self.shot]),
            self._labeled(index[..., self.shot :]),
            self.way,
            codes.to(device),
            asked.to(device),
        )

    def _of_classes(
        self, tasks: int, rng: torch.Generator
    ) -> tuple[Int64[Tensor, "task way"], Int64[Tensor, "task way each"]]:
        group = draw_among(self.wide.expand(tasks, -1), 1, rng).squeeze(1)
        classes = draw_among(self.inside[group], self.way, rng)
        rows = draw_distinct(self.classes.counts[classes], self.shot + self.query, rng)
        return classes, self.classes.images(classes, rows)

    def _of_groups(
        self, tasks: int, rng: torch.Generator
    ) -> tuple[Int64[Tensor, "task way"], Int64[Tensor, "task way each"]]:
        groups = draw_among(self.divided.expand(tasks, -1), self.way, rng)
        shown = _half(self.inside[groups], rng)
        starts, counts = self.members.starts[groups], self.members.counts[groups]
        rows = torch.arange(int(counts.max())).expand(*groups.shape, -1)
        there = rows < counts.unsqueeze(2)
        places = starts.unsqueeze(2) + rows.where(there, 0)
        of_shown = shown.gather(2, self.class_of[places])
        support = draw_among(there & of_shown, self.shot, rng)
        query = draw_among(there & ~of_shown, self.query, rng)
        return groups, self.members.images(groups, torch.cat([support, query], dim=2))

    def _labeled(self, index: Int64[Tensor, "task way image"]) -> LabeledSet:
        device = self.data.device
        labels = torch.arange(self.way, device=device).repeat_interleave(index.shape[2])
        images = as_float(self.data.images[index.flatten(1).to(device)])
        return LabeledSet(images, labels.expand(len(index), -1))


def _inside(
    data: ImageSet, groups_of: Int64[Tensor, " image"], names: tuple[str, str]
) -> Bool[Tensor, "group class"]:
    """Which classes lie in each group, once all of each lie in one."""
    inside = torch.zeros(int(groups_of.max()) + 1, len(data.names), dtype=torch.bool)
    inside[groups_of.cpu(), data.labels.cpu()] = True
    several = inside.sum(0) > 1
    if several.any():
        name = data.names[int(several.int().argmax())]
        raise UsageError(
            f"the {names[0]} {name!r} has images of more than one {names[1]}; pass labellings that "
            "are not nested to NaturalLabellingSampler"
        )
    return inside


def _half(
    inside: Bool[Tensor, "*batch class"], rng: torch.Generator
) -> Bool[Tensor, "*batch class"]:
    """A random half of those inside; the odd one is in it."""
    keys = torch.rand(inside.shape, generator=rng, device=rng.device).cpu()
    rank = keys.masked_fill(~inside, 2.0).argsort(dim=-1).argsort(dim=-1)
    return rank < (inside.sum(-1, keepdim=True) + 1) // 2
