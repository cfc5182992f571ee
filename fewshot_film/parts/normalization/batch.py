"""Batch normalization with running statistics (Ioffe and Szegedy 2015): the default."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import Affine, SiteParams
from fewshot_film.parts.normalization.base import Normalization, standardized, standardizing


@final
class BatchNorm(Normalization):
    """Moments of the whole batch, over its tasks too, in training; running ones in evaluation.

    Where a task brings moments of its own, `mean` and `var`, they take the place of both:
    adaptive batch norm (Li et al. 2018).
    """

    counts: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch_norm: nn.modules.batchnorm._BatchNorm = nn.BatchNorm2d(channels)

    @classmethod
    def around(cls, module: nn.modules.batchnorm._BatchNorm) -> BatchNorm:
        """The batch norm of a network that others wrote, as it is."""
        made = cls(module.num_features)
        made.batch_norm = module
        return made

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        norm = self.batch_norm
        if "mean" in kept:
            return standardized(h, kept, *self._weights(kept["mean"]), norm.eps)
        normalized: Tensor = norm(h.flatten(0, 1))
        return normalized.unflatten(0, h.shape[:2])

    def affine(self, kept: SiteParams) -> Affine | None:
        mean, var = self.batch_norm.running_mean, self.batch_norm.running_var
        if "mean" not in kept:
            if self.training or mean is None or var is None:
                return None
            kept = {"mean": mean.unsqueeze(0), "var": var.unsqueeze(0)}
        return standardizing(kept, *self._weights(kept["mean"]), self.batch_norm.eps)

    def _weights(self, like: Float[Tensor, "task channel"]) -> tuple[Tensor, Tensor]:
        """Weight and bias; those of a batch norm that has neither are one and zero."""
        norm = self.batch_norm
        if norm.affine:
            return norm.weight, norm.bias
        return torch.ones_like(like[0]), torch.zeros_like(like[0])
