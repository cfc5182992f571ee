"""Heads that break a law."""

from typing import final

import torch
from torch import Tensor

from fewshot_film.parts.head import PrototypeHead


class Squared(PrototypeHead):
    """Squared distances, which break no law."""

    def __init__(self) -> None:
        super().__init__()


@final
class Renaming(Squared):
    """It weighs classes by their numbers."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        logits = super().forward(queries, prototypes)
        return logits * torch.arange(1, logits.shape[2] + 1)


@final
class MixingQueries(Squared):
    """It takes the mean of all queries away."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        logits = super().forward(queries, prototypes)
        return logits - logits.mean(1, keepdim=True)


@final
class MixingTasks(Squared):
    """It takes the mean of all tasks away."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        logits = super().forward(queries, prototypes)
        return logits - logits.mean(0, keepdim=True)


@final
class Farther(Squared):
    """Its logits are distances."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        return -super().forward(queries, prototypes)


@final
class Half(Squared):
    """It leaves the precision to autocast."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        return queries @ prototypes.transpose(1, 2)


@final
class Rooted(Squared):
    """It takes the root of a distance that may be zero, or less by rounding."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        return -(-super().forward(queries, prototypes)).sqrt()


@final
class Counting(Squared):
    """It remembers how often it was called."""

    calls = 0

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(queries, prototypes) * self.calls


@final
class NotANumber(Squared):
    """Its logits are none."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        return super().forward(queries, prototypes) * torch.nan
