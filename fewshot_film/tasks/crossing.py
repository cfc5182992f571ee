"""Levels that are crossed: none of them tells of another."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.tasks.drawing import draw_among


def diagonals(
    tasks: int, way: int, each: int, columns: int, rng: torch.Generator
) -> Int64[Tensor, "task {way} {each} {columns}"]:
    """(class, j) -> its level of every column: (class + start + j) mod way.

    Every `way` in a row of one class have all levels once, and so have the j-th of all classes.
    Whatever part of a row is taken, levels are as often as can be in every class, and equally often
    over all. The starts are drawn, for every task and column.
    """
    start = torch.randint(way, (tasks, 1, 1, columns), generator=rng, device=rng.device).cpu()
    return (torch.arange(way).view(-1, 1, 1) + start + torch.arange(each).view(-1, 1)) % way


def crossed(
    tasks: int, way: int, each: int, columns: int, rng: torch.Generator
) -> Int64[Tensor, "task example 1+{columns}"]:
    """Example -> its class, `each` of every class in a row, and its level of every column.

    Levels are equally often over all, and as equally often as can be in every class; two columns
    are independent but for that.
    """
    rows = diagonals(tasks, way, each, columns, rng)
    keys = torch.rand(rows.shape, generator=rng, device=rng.device).cpu()
    levels = rows.gather(2, keys.argsort(dim=2)).flatten(1, 2)
    classes = torch.arange(way).repeat_interleave(each).view(1, -1, 1).expand(tasks, -1, -1)
    return torch.cat([classes, levels], dim=2)


def draw_grid(
    fit: Bool[Tensor, "first second"], tasks: int, way: int, rng: torch.Generator
) -> tuple[Int64[Tensor, "task {way}"], Int64[Tensor, "task {way}"]]:
    """`way` rows and `way` columns for each task, all of whose pairs fit.

    Rows one by one, of those that leave `way` columns in common, then any of these columns.
    """
    common = torch.ones(tasks, fit.shape[1], dtype=torch.bool)
    rows = torch.empty(tasks, 0, dtype=torch.int64)
    for _ in range(way):
        free = (common.float() @ fit.float().T >= way).scatter_(1, rows, False)
        if not free.any(1).all():
            raise UsageError(
                f"some pairs hold too few images for {way} x {way} to be found together; pass a "
                "smaller `way`, `shot` or `query`, or leave rare codes out"
            )
        row = draw_among(free, 1, rng)
        rows, common = torch.cat([rows, row], dim=1), common & fit[row.squeeze(1)]
    return rows, draw_among(common, way, rng)
