"""Generator: task embedding -> the parameters of every site."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import TaskParams


class Generator(nn.Module, ABC):
    """z -> the parameters of every site, for every task of the batch.

    A generator sees only what the sites are given, an Extractor's `identity()`, never the
    extractor. What it learns is scaled by multipliers that start at zero, so that training starts
    from the unconditioned network.
    """

    @abstractmethod
    def forward(self, z: Float[Tensor, "task embedding"]) -> TaskParams: ...

    @abstractmethod
    def multipliers(self) -> list[nn.Parameter]:
        """Every multiplier, for an optimizer that decays them by a rate of their own."""


def check_steerable(identity: TaskParams) -> None:
    """Some site takes parameters."""
    if not identity:
        raise UsageError(
            "no site takes parameters, so there is nothing to generate; pass another "
            "`conditioning`, an `extractor` with sites, as by `sites=late` or `neck=256`, or "
            "`adapter=none` for the network without conditioning"
        )
