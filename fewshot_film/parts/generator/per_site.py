"""TADAM's task embedding network: a network of its own for every parameter of every site."""

from __future__ import annotations

from math import sqrt
from typing import cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator.base import Generator, check_steerable

WEIGHT_VARIANCE = 0.2
"""Variance of a starting weight times its layer's inputs."""


class ParameterNetwork(nn.Module):
    """z -> identity + multiplier * (x2 + W3 x2 + b3), one parameter of one site.

    x1 = swish(W1 z + b1) and x2 = swish(x1 + W2 x1 + b2), as wide as the parameter has values.
    """

    identity: Tensor

    def __init__(self, embedding_dim: int, identity: Tensor) -> None:
        super().__init__()
        width = identity.numel()
        layers = nn.ModuleList(nn.Linear(i, width) for i in (embedding_dim, width, width))
        self.layers = cast("list[nn.Linear]", layers)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=sqrt(WEIGHT_VARIANCE / layer.in_features))
            nn.init.zeros_(layer.bias)
        self.register_buffer("identity", identity)
        self.multiplier = nn.Parameter(torch.zeros(()))

    def forward(self, z: Float[Tensor, "task embedding"]) -> Float[Tensor, "task ..."]:
        first, second, third = self.layers
        x = F.silu(first(z.to(self.identity.dtype)))
        x = F.silu(x + second(x))
        x = (x + third(x)).to(self.identity.dtype)  # autocast would leave bfloat16
        return self.identity + self.multiplier * x.view(-1, *self.identity.shape)


@final
class PerSiteGenerator(Generator):
    """z -> a ParameterNetwork's output for every site and name (Oreshkin et al. 2018, section 3.3).

    Each parameter of a site, such as FiLM's gamma, has one learned multiplier. z is not normalised.
    """

    def __init__(self, embedding_dim: int, identity: TaskParams) -> None:
        super().__init__()
        check_steerable(identity)
        nets = nn.ModuleDict(
            {
                site: nn.ModuleDict(
                    {name: ParameterNetwork(embedding_dim, value) for name, value in params.items()}
                )
                for site, params in identity.items()
            }
        )
        self.nets = cast("dict[str, dict[str, ParameterNetwork]]", nets)

    def forward(self, z: Float[Tensor, "task embedding"]) -> TaskParams:
        return {
            site: {name: net(z) for name, net in nets.items()} for site, nets in self.nets.items()
        }

    def multipliers(self) -> list[nn.Parameter]:
        return [net.multiplier for nets in self.nets.values() for net in nets.values()]

    def multiplier_sizes(self) -> dict[str, dict[str, float]]:
        """site -> name -> |multiplier|: how strongly the task steers each parameter."""
        return {
            site: {name: abs(net.multiplier.item()) for name, net in nets.items()}
            for site, nets in self.nets.items()
        }
