"""What a task may ask for, by name, and what the others do meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.family import near
from fewshot_film.errors import UsageError

Nuisance = Literal["crossed", "mixed"]
"""Crossed: what is not asked for takes `way` levels, equally often whatever the label. Mixed: it
takes any of its levels in every image, by chance."""


def check_nuisance(nuisance: str) -> None:
    """It is one of the two kinds."""
    if nuisance not in ("crossed", "mixed"):
        raise UsageError(f"`nuisance` is {nuisance!r}; pass 'crossed' or 'mixed'")


def columns(names: Sequence[str], asked: Sequence[str] | None) -> list[int]:
    """The places among `names` of those asked for, by default all."""
    if asked is not None and not asked:
        raise UsageError(f"`asked` is empty; name at least one of {', '.join(names)}")
    chosen = names if asked is None else asked
    check_known("asked", chosen, names)
    return [names.index(name) for name in chosen]


def check_known(argument: str, chosen: Sequence[str], names: Sequence[str]) -> None:
    """All that an argument names are there, and each is named once."""
    for name in chosen:
        if name not in names:
            raise UsageError(f"`{argument}` names {name!r}; {near(name, names)}")
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"`{argument}` is {', '.join(chosen)}; name each once")


def labelled_by(
    factors: Int64[Tensor, "task example factor"], asked: Int64[Tensor, " task"]
) -> Int64[Tensor, "task example"]:
    """The labels that each task's own factor gives."""
    column = asked.view(-1, 1, 1).expand(-1, factors.shape[1], 1)
    return factors.gather(2, column).squeeze(2)
