"""Normalization: what stands at a site before the conditioning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.moments import channel_moments
from fewshot_film.parts.conditioning import Affine, SiteParams, channel_affine

EPSILON = 1e-5
"""What is added to a variance before it divides, torch's own choice."""


class Normalization(nn.Module, ABC):
    """(h, kept) -> h normalised; `kept` is what `describe` kept of the task's support set."""

    transductive: ClassVar[bool] = False
    """Whether an answer depends on the other queries by design."""
    needs_support: ClassVar[bool] = False
    """Whether it is trained to normalise by a task's own images."""
    counts: ClassVar[bool] = False
    """Whether training keeps running statistics, which every pass feeds."""

    @property
    def keeps(self) -> bool:
        """Whether `describe` keeps anything, in the present mode."""
        return False

    def describe(self, support: Float[Tensor, "task example channel *space"]) -> SiteParams:
        """What is kept of a support set; it travels with the task's parameters."""
        del support
        return {}

    @abstractmethod
    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]: ...

    def affine(self, kept: SiteParams) -> Affine | None:
        """(scale, shift) if, in this mode, h -> scale * h + shift is all that it does."""
        del kept
        return None


def task_moments(h: Float[Tensor, "task example channel *space"]) -> SiteParams:
    """Each task's mean and biased variance of every channel, through which gradients flow."""
    if not len(h) or (torch.is_grad_enabled() and h.requires_grad):
        var, mean = torch.var_mean(precise(h), dim=[1, *range(3, h.ndim)], correction=0)
        return {"mean": mean, "var": var}
    means, variances = zip(*map(channel_moments, h), strict=True)
    dtype = precise(h).dtype
    return {"mean": torch.stack(means).to(dtype), "var": torch.stack(variances).to(dtype)}


def precise(h: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Moments are taken in float32 or better."""
    return h if h.dtype == torch.float64 else h.float()


def standardized(
    h: Float[Tensor, "task example channel *space"],
    moments: SiteParams,
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    epsilon: float = EPSILON,
) -> Float[Tensor, "task example channel *space"]:
    """weight * (h - mean) / sqrt(var + eps) + bias, as one multiplication and one addition."""
    # rounded once, at the end, as torch's batch norm does
    scaled = channel_affine(precise(h), standardizing(moments, weight, bias, epsilon))
    return scaled.to(h.dtype)


def standardizing(
    moments: SiteParams,
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    epsilon: float = EPSILON,
) -> Affine:
    """weight * (h - mean) / sqrt(var + eps) + bias as (scale, shift)."""
    scale = weight * (moments["var"] + epsilon).rsqrt()
    return scale, bias - moments["mean"] * scale
