"""Images that have two codes each, drawn by both of them or by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias, final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks.crossing import diagonals, draw_grid
from fewshot_film.tasks.domain_cells import DomainCells
from fewshot_film.tasks.drawing import Members, draw_among, draw_distinct

Codes: TypeAlias = Mapping[str, Tensor]
"""Two labellings by name: the code that each image has in either."""


class Drawn(NamedTuple):
    """Stored images of a batch of tasks, and their labels and those labels' codes by either."""

    stored: Int64[Tensor, "task way each"]
    levels: Int64[Tensor, "task way each 2"]
    codes: Int64[Tensor, "task 2 way"]


@final
class CrossedCodes:
    """rng -> images of `way` first codes, `each` of them spread over `way` second codes."""

    def __init__(self, data: ImageSet, codes: Codes, way: int, each: int) -> None:
        (first, second), names = codes.values(), tuple(codes)
        self.cells, self.way, self.each = DomainCells(_recast(data, first, second)), way, each
        self.deep = -(-each // way)
        self.fit = self.cells.counts >= self.deep
        shared = self.fit.float() @ self.fit.float().T >= way
        self.able = shared.sum(1) >= way
        if not self.able.any():
            raise UsageError(
                f"no {way} codes of {names[0]} and {way} of {names[1]} have {self.deep} images in "
                "all their pairs; pass a smaller `way`, `shot` or `query`, or `nuisance='mixed'`"
            )

    def draw(self, asked: Int64[Tensor, " task"], rng: torch.Generator) -> Drawn:
        tasks, way, cells = len(asked), self.way, self.cells
        first, second = draw_grid(self.fit & self.able.unsqueeze(1), tasks, way, rng)
        column = diagonals(tasks, way, self.each, 1, rng).squeeze(3)
        pair = (first.unsqueeze(2), second.unsqueeze(1))
        starts, counts = cells.starts[pair], cells.counts[pair]
        rows = starts.unsqueeze(3) + draw_distinct(counts, self.deep, rng)
        # along a class's diagonal a pair comes again after `way` images
        row = torch.arange(self.each) // way
        task, place = torch.arange(tasks).view(-1, 1, 1), torch.arange(way).view(-1, 1)
        index = cells.order[rows[task, place, column, row]]
        levels = torch.stack([place.expand_as(column), column], dim=3)
        return Drawn(index, levels, torch.stack([first, second], dim=1))


@final
class MixedCodes:
    """rng -> images of `way` codes of what is asked, `each` of them anyhow."""

    def __init__(self, data: ImageSet, codes: Codes, way: int, each: int) -> None:
        first, second = codes.values()
        both = (_recast(data, first, second), _recast(data, second, first))
        self.members, self.way, self.each = [Members(recast) for recast in both], way, each
        for name, members in zip(codes, self.members, strict=True):
            enough = int((members.counts >= each).sum())
            if enough < way:
                raise UsageError(
                    f"{way}-way tasks need {way} codes of {name} with {each} images, as shot plus "
                    f"query ask for, {enough} have as many; pass a smaller `way`, `shot` or `query`"
                )

    def draw(self, asked: Int64[Tensor, " task"], rng: torch.Generator) -> Drawn:
        tasks = len(asked)
        both = [self._of(members, tasks, rng) for members in self.members]
        index = torch.stack([index for _, index in both], dim=1)[torch.arange(tasks), asked]
        place = torch.arange(self.way).view(1, -1, 1, 1).expand(tasks, -1, self.each, 2)
        return Drawn(index, place, torch.stack([codes for codes, _ in both], dim=1))

    def _of(
        self, members: Members, tasks: int, rng: torch.Generator
    ) -> tuple[Int64[Tensor, "task way"], Int64[Tensor, "task way each"]]:
        able = members.counts >= self.each
        codes = draw_among(able.expand(tasks, -1), self.way, rng)
        rows = draw_distinct(members.counts[codes], self.each, rng)
        return codes, members.images(codes, rows)


def _recast(
    data: ImageSet, labels: Int64[Tensor, " image"], domains: Int64[Tensor, " image"]
) -> ImageSet:
    """The same images, with one labelling as their classes and another as their domains."""
    names, domain_names = (
        tuple(map(str, range(int(codes.max()) + 1))) for codes in (labels, domains)
    )
    return replace(data, labels=labels, names=names, domains=domains, domain_names=domain_names)
