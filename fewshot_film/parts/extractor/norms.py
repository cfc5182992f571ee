"""The norms of a network that others wrote: which modules they are, and what a site keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization import BatchNorm, Normalization

TYPES = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
FOLLOWING = ("drop", "act")
"""What timm calls the layers that some of its norms' modules hold, and that follow the norm."""

OfTorch: TypeAlias = _NormBase | nn.GroupNorm | nn.LayerNorm | nn.RMSNorm


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
        if isinstance(self.module, _BatchNorm) and self.axis == 1:
            return BatchNorm.around(self.module)
        return OwnNorm(self.module, self.axis)


def norm_of(name: str, module: nn.Module, inputs: Sequence[Tensor], images: int) -> Norm:
    """A norm that was given these inputs while so many images passed.

    Layers that its module holds behind the affine map are taken out of it, into `rest`.
    """
    rows = [len(h) for h in inputs]
    if rows != [images]:
        raise UsageError(
            f"the norm {name!r} was given {' and '.join(map(str, rows)) or 'no'} rows for {images} "
            "images; a site is passed once, with a row for each image: leave it out by `sites`"
        )
    # not what it was given, where a channel may be zero: a network's dead ones are
    h = _chance(inputs[0])
    with evaluating(module), _weighed(module, h) as affine:
        rest = _taken_out(module, h)
        _check_affine(name, module, affine, h)
        axis = _channel_axis(name, module, affine[0], h)
    return Norm(module, h.shape[axis], axis, rest)


def _chance(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)


@contextmanager
def _weighed(module: nn.Module, h: Tensor) -> Iterator[list[Tensor]]:
    """Weight and bias at chance values inside, whatever they are; a weight, if there is neither."""
    if plain := isinstance(module, OfTorch) and module.weight is None:
        module.weight = nn.Parameter(torch.empty(_shape(module)).to(h))
    values = (getattr(module, name, None) for name in ("weight", "bias"))
    affine = [value.data for value in values if isinstance(value, Tensor)]
    kept = [value.clone() for value in affine]
    try:
        for value in affine:
            value.copy_(_chance(value))
        yield affine
    finally:
        for value, old in zip(affine, kept, strict=True):
            value.copy_(old)
        if plain:
            module.weight = None


def _shape(module: OfTorch) -> Sequence[int]:
    """The shape that its weight would have."""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return module.normalized_shape
    return (module.num_channels if isinstance(module, nn.GroupNorm) else module.num_features,)


def _taken_out(module: nn.Module, h: Tensor) -> nn.Module:
    """The layers that follow the norm in its module, which are the identity there from now on.

    Some modules hold an activation under the same name and pass it first; they keep it.
    """
    held = {name: layer for name, layer in module.named_children() if name in FOLLOWING}
    if not held:
        return nn.Identity()
    whole, rest = module(h), nn.Sequential(*held.values())
    for name in held:
        setattr(module, name, nn.Identity())
    if torch.allclose(rest(module(h)), whole, rtol=1e-4, atol=1e-5):
        return rest
    for name, layer in held.items():
        setattr(module, name, layer)
    return nn.Identity()


def _check_affine(name: str, module: nn.Module, affine: list[Tensor], h: Tensor) -> None:
    """norm(h) doubles with weight and bias, and turns its sign with theirs: nothing follows it."""
    before: Tensor = module(h)
    for value in affine:
        value.mul_(-2)
    after: Tensor = module(h)
    if not torch.allclose(after, -2 * before, rtol=1e-3, atol=1e-4):
        raise UsageError(
            f"the norm {name!r}, a {type(module).__name__}, does more after its weight and bias, "
            "such as an activation, and a site must stand before that; make the two modules of "
            "their own, or leave it out by `sites`"
        )


def _channel_axis(name: str, module: nn.Module, weight: Tensor, h: Tensor) -> int:
    """The axis along which the weight acts, and each of its places on one place alone.

    A weight for every value stands for those of a map, channels first, or of tokens, channels last.
    """
    if weight.ndim == h.ndim - 1 > 1:
        return 1 if h.ndim > 3 else 2
    before: Tensor = module(h)
    weight[:1].add_(1)
    moved = (module(h) != before).any(0)
    for axis in (1, h.ndim - 1):
        where = moved.transpose(0, axis - 1)
        if len(where) == len(weight) and where[0].any() and not where[1:].any():
            return axis
    raise UsageError(
        f"the norm {name!r}, a {type(module).__name__}, has no axis of channels that its weight "
        "acts on one by one; leave it out by `sites`"
    )
