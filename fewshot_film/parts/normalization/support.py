"""Batch normalization that takes the support set's moments in evaluation."""

from __future__ import annotations

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization, task_moments
from fewshot_film.parts.normalization.batch import BatchNorm


@final
class SupportBatchNorm(Normalization):
    """Trained as BatchNorm is; in evaluation a task's support set gives the moments.

    It is adaptive batch norm on the support set as a property of the network.
    """

    counts: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = BatchNorm(channels)

    @property
    def keeps(self) -> bool:
        return not self.training

    def describe(self, support: Float[Tensor, "task example channel *space"]) -> SiteParams:
        return task_moments(support) if self.keeps else {}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        normalized: Tensor = self.norm(h, kept if "mean" in kept else self.describe(h))
        return normalized
