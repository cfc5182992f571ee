"""The norms of a network that others wrote: which modules they are, and what a site keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization import BatchNorm, Normalization

TYPES = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
FOLLOWING = ("drop", "act")
"""What timm calls the layers that some of its norms' modules hold, and that follow the norm."""


def is_norm(module: nn.Module) -> bool:
    """A norm of torch, or one that is called so and weighs every channel."""
    weight = getattr(module, "weight", None)
    called = "norm" in type(module).__name__.lower()
    return isinstance(module, TYPES) or (called and isinstance(weight, Tensor) and weight.ndim == 1)


@final
class OwnNorm(Normalization):
    """h -> what the network's own norm makes of it, whichever axis it has its channels on."""

    def __init__(self, module: nn.Module, axis: int) -> None:
        super().__init__()
        self.own, self.axis = module, axis

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del kept
        normalized: Tensor = self.own(h.flatten(0, 1).movedim(1, self.axis))
        return normalized.movedim(self.axis, 1).unflatten(0, h.shape[:2])


@final
@dataclass(frozen=True)
class Norm:
    """A norm as a site keeps it: where its channels lie, and what its module does after it."""

    module: nn.Module
    channels: int
    axis: int
    rest: nn.Module

    def kept(self, channels: int) -> Normalization:
        """The norm as it is; batch norm can be given a task's moments."""
        del channels
        if isinstance(self.module, nn.modules.batchnorm._BatchNorm):
            return BatchNorm.around(self.module)
        return OwnNorm(self.module, self.axis)


def norm_of(name: str, module: nn.Module, inputs: list[Tensor], images: int) -> Norm:
    """A norm that was given these inputs while so many images passed.

    Layers that its module holds behind the affine map are taken out of it, into `rest`.
    """
    rows = [len(h) for h in inputs]
    if rows != [images]:
        raise UsageError(
            f"the norm {name!r} was given {' and '.join(map(str, rows))} rows for {images} images; "
            "a site is passed once, with a row for each image: leave it out by `sites`"
        )
    rest, h = _taken_out(module), inputs[0]
    with evaluating(module):
        _check_affine(name, module, h)
        axis = _channel_axis(name, module, h)
    return Norm(module, h.shape[axis], axis, rest)


def _taken_out(module: nn.Module) -> nn.Module:
    held = {name: layer for name, layer in module.named_children() if name in FOLLOWING}
    for name in held:
        setattr(module, name, nn.Identity())
    return nn.Sequential(*held.values()) if held else nn.Identity()


def _check_affine(name: str, module: nn.Module, h: Tensor) -> None:
    """norm(h) doubles with weight and bias, and turns its sign with theirs: nothing follows it."""
    affine = _affine(module)
    before: Tensor = module(h)
    kept = [value.clone() for value in affine]
    for value in affine:
        value.mul_(-2)
    after: Tensor = module(h)
    for value, old in zip(affine, kept, strict=True):
        value.copy_(old)
    if affine and not torch.allclose(after, -2 * before, rtol=1e-3, atol=1e-4):
        raise UsageError(
            f"the norm {name!r}, a {type(module).__name__}, does more after its weight and bias, "
            "such as an activation, and a site must stand before that; make the two modules of "
            "their own, or leave it out by `sites`"
        )


def _affine(module: nn.Module) -> list[Tensor]:
    values = (getattr(module, name, None) for name in ("weight", "bias"))
    return [value.data for value in values if isinstance(value, Tensor)]


def _channel_axis(name: str, module: nn.Module, h: Tensor) -> int:
    """The axis on which the weight of one channel acts; without weights, its type says it."""
    affine = _affine(module)
    if not affine:
        return h.ndim - 1 if isinstance(module, nn.LayerNorm | nn.RMSNorm) else 1
    before: Tensor = module(h)
    first = affine[0][:1]
    kept = first.clone()
    first.add_(1)
    moved = (module(h) != before).any(0)
    first.copy_(kept)
    for axis in (1, h.ndim - 1):
        others = moved.transpose(0, axis - 1)[1:]
        if moved.any() and not others.any():
            return axis
    raise UsageError(
        f"the norm {name!r}, a {type(module).__name__}, has no axis of channels that its weight "
        "acts on one by one; leave it out by `sites`"
    )
