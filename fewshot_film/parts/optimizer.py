"""The optimizers, and which weights decay how much."""

from __future__ import annotations

from typing import Annotated, Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from fewshot_film.base.family import Family
from fewshot_film.base.values import AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.generator import Generator

MOMENTUM = 0.9

Decay = Annotated[float, AtLeast(0)]


def adamw(
    modules: nn.Module,
    *,
    decay: Decay = 0.0,
    generator_decay: Annotated[float | None, AtLeast(0)] = None,
    multiplier_decay: Decay = 0.0,
) -> Optimizer:
    """AdamW, whose decay is decoupled (Loshchilov and Hutter 2019)."""
    groups = weight_groups(modules, decay, generator_decay, multiplier_decay)
    return AdamW(groups, lr=1.0, fused=True)


def sgd(
    modules: nn.Module,
    *,
    decay: Decay = 0.0,
    generator_decay: Annotated[float | None, AtLeast(0)] = None,
    multiplier_decay: Decay = 0.0,
    momentum: Decay = MOMENTUM,
) -> Optimizer:
    """SGD with momentum, whose decay is an L2 penalty (TADAM, Oreshkin et al. 2018)."""
    groups = weight_groups(modules, decay, generator_decay, multiplier_decay)
    # not fused: that one fails where a weight, of co-training, gets its first gradient late
    return SGD(groups, lr=1.0, momentum=momentum)


OPTIMIZERS: Family[Optimizer] = Family("optimizer", ("modules",), adamw=adamw, sgd=sgd)


def weight_groups(
    modules: nn.Module, decay: float, generator_decay: float | None, multiplier_decay: float
) -> list[dict[str, Any]]:
    """Matrices and convolutions decay, the rest does not.

    A generator's matrices (by default as all) and its multipliers have amounts of their own.
    TADAM's rule (Oreshkin et al. 2018, section 4): a norm's scale, a bias and the metric scale are
    not pulled to zero.
    """
    matrices = decay if generator_decay is None else generator_decay
    of_generators = _generator_decays(modules, matrices, multiplier_decay)
    if not of_generators and (generator_decay is not None or multiplier_decay):
        raise UsageError(
            "the optimizer's generator_decay and multiplier_decay are of a generator, and nothing "
            "generates parameters here; leave them out"
        )
    groups: dict[float, list[nn.Parameter]] = {}
    for weight in modules.parameters():
        if weight.requires_grad:
            by_shape = decay if weight.ndim > 1 else 0.0
            groups.setdefault(of_generators.get(id(weight), by_shape), []).append(weight)
    return [{"params": weights, "weight_decay": decay} for decay, weights in groups.items()]


def _generator_decays(modules: nn.Module, matrices: float, multipliers: float) -> dict[int, float]:
    """id of a generator's matrix or multiplier -> its decay."""
    decays: dict[int, float] = {}
    for module in modules.modules():
        if isinstance(module, Generator):
            decays |= {id(p): matrices for p in module.parameters() if p.ndim > 1}
            decays |= {id(p): multipliers for p in module.multipliers()}
    return decays
