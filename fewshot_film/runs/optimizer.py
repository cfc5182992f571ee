"""The optimizer, and which weights decay how much."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from fewshot_film.config.config import Config
from fewshot_film.parts.generator import Generator

MOMENTUM = 0.9


def make_optimizer(modules: nn.Module, config: Config) -> Optimizer:
    """AdamW, or SGD with momentum, over all weights that are learned."""
    groups = weight_groups(modules, config)
    if config.optimizer == "sgd":
        # not fused: that one fails where a weight, of co-training, gets its first gradient late
        return SGD(groups, lr=1.0, momentum=MOMENTUM)
    return AdamW(groups, lr=1.0, fused=True)


def weight_groups(modules: nn.Module, config: Config) -> list[dict[str, Any]]:
    """Matrices and convolutions decay, the rest does not.

    A generator's matrices and its multipliers have amounts of their own. TADAM's rule (Oreshkin et
    al. 2018, section 4): a norm's scale, a bias and the metric scale are not pulled to zero.
    """
    of_generators = _generator_decays(modules, config)
    groups: dict[float, list[nn.Parameter]] = {}
    for weight in modules.parameters():
        if weight.requires_grad:
            by_shape = config.weight_decay if weight.ndim > 1 else 0.0
            groups.setdefault(of_generators.get(id(weight), by_shape), []).append(weight)
    return [{"params": weights, "weight_decay": decay} for decay, weights in groups.items()]


def _generator_decays(modules: nn.Module, config: Config) -> dict[int, float]:
    """id of a generator's matrix or multiplier -> its decay."""
    matrices = config.weight_decay if config.generator_decay is None else config.generator_decay
    decays: dict[int, float] = {}
    for module in modules.modules():
        if isinstance(module, Generator):
            decays |= {id(p): matrices for p in module.parameters() if p.ndim > 1}
            decays |= {id(p): config.multiplier_decay for p in module.multipliers()}
    return decays
