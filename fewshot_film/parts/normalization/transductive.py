"""Transductive batch normalization: the moments of whatever is asked together."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization, standardized, task_moments


@final
class TransductiveBatchNorm(Normalization):
    """weight * (h - mean) / sqrt(var + eps) + bias, with mean and var of a task's images in h.

    A support set and its queries are embedded apart, each by its own moments, so an answer depends
    on which other queries are asked: its figures are labelled transductive. It is what batch norm
    left in training mode does, task by task, and TaskNorm's authors (Bronskill et al. 2020), who
    call it TBN, warn of it.
    """

    transductive: ClassVar[bool] = True
    needs_support: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del kept
        return standardized(h, task_moments(h), self.weight, self.bias)
