"""Batch normalization with running statistics (Ioffe and Szegedy 2015): the default."""

from __future__ import annotations

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization, standardized


@final
class BatchNorm(Normalization):
    """Moments of the whole batch, over its tasks too, in training; running ones in evaluation.

    Where a task brings moments of its own, `mean` and `var`, they take the place of both:
    adaptive batch norm (Li et al. 2018).
    """

    counts: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch_norm = nn.BatchNorm2d(channels)

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        norm = self.batch_norm
        if "mean" in kept:
            return standardized(h, kept, norm.weight, norm.bias, norm.eps)
        normalized: Tensor = norm(h.flatten(0, 1))
        return normalized.unflatten(0, h.shape[:2])
