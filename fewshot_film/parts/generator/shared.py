"""One network for all sites, with one multiplier per output."""

from __future__ import annotations

from math import prod
from typing import Annotated, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.values import AtLeast
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator.base import Generator, check_steerable


@final
class SharedGenerator(Generator):
    """z -> identity + multiplier * mlp(layer_norm(z)), cut into sites and names.

    One multiplier per output, as in CNAPs (Requeima et al. 2019), learned and starting at zero.
    """

    def __init__(
        self,
        embedding_dim: int,
        identity: TaskParams,
        *,
        hidden_dim: Annotated[int, AtLeast(1)] = 96,
    ) -> None:
        super().__init__()
        check_steerable(identity)
        neutral = [value for params in identity.values() for value in params.values()]
        self.shapes = {
            site: {name: value.shape for name, value in params.items()}
            for site, params in identity.items()
        }
        self.mlp = nn.Sequential(
            nn.LayerNorm(embedding_dim),
            nn.Linear(embedding_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, sum(value.numel() for value in neutral)),
        )
        self.register_buffer("identity", torch.cat([value.flatten() for value in neutral]))
        self.multiplier = nn.Parameter(torch.zeros(len(self.identity)))

    identity: Tensor

    def forward(self, z: Float[Tensor, "task embedding"]) -> TaskParams:
        flat = self.identity + self.multiplier * self.mlp(z.to(self.identity.dtype)).float()
        sizes = [prod(shape) for names in self.shapes.values() for shape in names.values()]
        pieces = iter(flat.split(sizes, dim=1))
        return {
            site: {name: next(pieces).reshape(len(z), *shape) for name, shape in names.items()}
            for site, names in self.shapes.items()
        }

    def multipliers(self) -> list[nn.Parameter]:
        return [self.multiplier]
