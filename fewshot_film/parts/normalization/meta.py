"""MetaBN: the support set's moments, in training too (Bronskill et al., TaskNorm, 2020)."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization, standardized, task_moments


@final
class MetaBatchNorm(Normalization):
    """weight * (h - mean) / sqrt(var + eps) + bias, with mean and var of the task's support set.

    The gradient flows through the moments. Images without a support set describe themselves.
    """

    needs_support: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    @property
    def keeps(self) -> bool:
        return True

    def describe(self, support: Float[Tensor, "task example channel *space"]) -> SiteParams:
        return task_moments(support)

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        moments = kept if "mean" in kept else self.describe(h)
        return standardized(h, moments, self.weight, self.bias)
