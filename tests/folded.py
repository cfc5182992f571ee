"""A network whose norms' weights and biases hold a task's FiLM: conditioning by brute force."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fewshot_film.parts.conditioning import TaskParams


class Plus(nn.Module):
    """h -> norm(h) + bias over the last axis, for a norm that has no bias."""

    def __init__(self, norm: nn.Module, bias: Tensor) -> None:
        super().__init__()
        self.norm, self.bias = norm, bias

    def forward(self, h: Tensor) -> Tensor:
        normalized: Tensor = self.norm(h)
        return normalized + self.bias


def folded(network: nn.Module, norms: Mapping[str, str], params: TaskParams) -> nn.Module:
    """w -> gamma w and b -> gamma b + beta, of the one task that the parameters are of.

    `norms` holds the name of the norm of each site.
    """
    made = copy.deepcopy(network)
    for site, name in norms.items():
        gamma, beta = (params[site][key].squeeze(0) for key in ("gamma", "beta"))
        fold(made, name, gamma, beta)
    return made


@torch.no_grad()
def fold(network: nn.Module, name: str, gamma: Tensor, beta: Tensor) -> None:
    norm = network.get_submodule(name)
    weight, bias = (getattr(norm, key, None) for key in ("weight", "bias"))
    weight = torch.ones_like(gamma) if weight is None else weight
    shape = (-1, *[1] * (weight.ndim - 1))
    gamma, beta = gamma.to(weight).view(shape), beta.to(weight).view(shape)
    norm.weight = nn.Parameter(gamma * weight)
    bias = beta if bias is None else gamma * bias + beta
    if isinstance(norm, nn.RMSNorm):
        around, _, last = name.rpartition(".")
        setattr(network.get_submodule(around), last, Plus(norm, bias))
    else:
        norm.bias = nn.Parameter(bias)
