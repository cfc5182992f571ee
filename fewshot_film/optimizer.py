"""The optimizer, and which weights decay how much."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from fewshot_film.config import Config
from fewshot_film.generator import Generator

MOMENTUM = 0.9


def make_optimizer(modules: nn.Module, config: Config) -> Optimizer:
    """AdamW, or SGD with momentum, over all weights that are learned."""
    groups = weight_groups(modules, config)
    if config.optimizer == "sgd":
        # not fused: that one fails where a weight, of co-training, gets its first gradient late
        return SGD(groups, lr=1.0, momentum=MOMENTUM)
    return AdamW(groups, lr=1.0, fused=True)


def weight_groups(modules: nn.Module, config: Config) -> list[dict[str, Any]]:
    """Matrices and convolutions decay, multipliers by an amount of their own, the rest does not.

    TADAM's rule (Oreshkin et al. 2018, section 4): a norm's scale, a bias and the metric scale
    are not pulled to zero.
    """
    multipliers = {
        id(p) for m in modules.modules() if isinstance(m, Generator) for p in m.multipliers()
    }
    groups: dict[float, list[nn.Parameter]] = {}
    for weight in modules.parameters():
        if weight.requires_grad:
            by_shape = config.weight_decay if weight.ndim > 1 else 0.0
            decay = config.multiplier_decay if id(weight) in multipliers else by_shape
            groups.setdefault(decay, []).append(weight)
    return [{"params": weights, "weight_decay": decay} for decay, weights in groups.items()]
