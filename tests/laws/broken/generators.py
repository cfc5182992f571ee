"""Generators that break a law."""

from typing import final

import torch
from torch import Tensor, nn

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator import Generator


class Linear(Generator):
    """identity + multiplier * linear(z), which breaks no law."""

    def __init__(self, embedding_dim: int, identity: TaskParams) -> None:
        super().__init__()
        self.shapes = {s: {n: v.shape for n, v in p.items()} for s, p in identity.items()}
        neutral = torch.cat([v.flatten() for p in identity.values() for v in p.values()])
        self.register_buffer("identity", neutral)
        self.linear = nn.Linear(embedding_dim, len(neutral))
        self.multiplier = nn.Parameter(torch.zeros(len(neutral)))

    identity: Tensor

    def steered(self, z: Tensor) -> Tensor:
        """What is added to identity."""
        return self.multiplier * self.linear(z).float()

    def forward(self, z: Tensor) -> TaskParams:
        pieces = iter((self.identity + self.steered(z)).split(self.sizes(), dim=1))
        return {
            site: {name: next(pieces).reshape(len(z), *shape) for name, shape in names.items()}
            for site, names in self.shapes.items()
        }

    def sizes(self) -> list[int]:
        return [shape.numel() for names in self.shapes.values() for shape in names.values()]

    def multipliers(self) -> list[nn.Parameter]:
        return [self.multiplier]


@final
class Random(Linear):
    """It starts anywhere."""

    def __init__(self, embedding_dim: int, identity: TaskParams) -> None:
        super().__init__(embedding_dim, identity)
        nn.init.ones_(self.multiplier)


@final
class Flat(Linear):
    """It gives every parameter as a list."""

    def forward(self, z: Tensor) -> TaskParams:
        params = super().forward(z)
        return {s: {n: v.reshape(len(z), -1) for n, v in p.items()} for s, p in params.items()}


@final
class MixingTasks(Linear):
    """Every task gets the mean task's parameters."""

    def steered(self, z: Tensor) -> Tensor:
        return super().steered(z.mean(0, keepdim=True).expand_as(z))


@final
class Constant(Linear):
    """It does not look at z."""

    def steered(self, z: Tensor) -> Tensor:
        return super().steered(torch.ones_like(z))


@final
class Detached(Linear):
    """No gradient reaches it."""

    def steered(self, z: Tensor) -> Tensor:
        return super().steered(z).detach()


@final
class Unhidden(Linear):
    """Something that it learns is behind no multiplier."""

    def __init__(self, embedding_dim: int, identity: TaskParams) -> None:
        super().__init__(embedding_dim, identity)
        self.offset = nn.Parameter(torch.zeros(len(self.identity)))

    def steered(self, z: Tensor) -> Tensor:
        return super().steered(z) + self.offset


@final
class Half(Linear):
    """It leaves the precision to autocast."""

    def forward(self, z: Tensor) -> TaskParams:
        dtype = self.linear(z).dtype
        params = super().forward(z)
        return {s: {n: v.to(dtype) for n, v in p.items()} for s, p in params.items()}


@final
class Counting(Linear):
    """It remembers how often it was called."""

    calls = 0

    def steered(self, z: Tensor) -> Tensor:
        self.calls += 1
        return super().steered(z) * self.calls
