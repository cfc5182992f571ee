"""Task parameters as a whole: neutral ones, those of some tasks, one of two for each."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.parts.conditioning import TaskParams

Which: TypeAlias = Bool[Tensor, " task"] | Int64[Tensor, " some"]
"""Some tasks of a batch: which they are, or their places."""


def repeated(identity: TaskParams, tasks: int, like: Tensor) -> TaskParams:
    """An Extractor's `identity()`, for so many tasks, where `like` is and in its precision."""
    return {
        site: {name: value.to(like).expand(tasks, *value.shape) for name, value in params.items()}
        for site, params in identity.items()
    }


def over(params: TaskParams | None, others: TaskParams) -> TaskParams:
    """`params`, and of the `others` what they do not hold."""
    held = params or {}
    sites = {**others, **held}
    return {site: {**others.get(site, {}), **held.get(site, {})} for site in sites}


def of_tasks(params: TaskParams, which: Which) -> TaskParams:
    """The parameters of some tasks."""
    return {site: {n: v[which] for n, v in values.items()} for site, values in params.items()}


def with_tasks(params: TaskParams, which: Which, some: TaskParams) -> TaskParams:
    """The same, with those of some tasks in their places."""
    return {
        site: {n: v.index_put((which,), some[site][n]) for n, v in values.items()}
        for site, values in params.items()
    }


def either(which: Bool[Tensor, " task"], params: TaskParams, others: TaskParams) -> TaskParams:
    """Each task's `params` where that is so, else its `others`; both are of the same names."""
    return {
        site: {name: _either(which, value, others[site][name]) for name, value in values.items()}
        for site, values in params.items()
    }


def _either(which: Bool[Tensor, " task"], value: Tensor, other: Tensor) -> Tensor:
    return value.where(which.view(-1, *[1] * (value.ndim - 1)), other)
