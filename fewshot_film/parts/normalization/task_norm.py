"""TaskNorm (Bronskill et al., ICML 2020, section 4): moments of the support set and of the image.

With m_s, v_s of the support set and m_i, v_i of one image,
    mean = a m_s + (1 - a) m_i
    var = a (v_s + (m_s - mean)^2) + (1 - a) (v_i + (m_i - mean)^2),
the moments of a mixture of both, where a = sigmoid(slope |support| + offset) is learned: the more
support images there are, the more their moments count.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization, standardized, task_moments


class TaskNorm(Normalization):
    """(h, support moments) -> weight * (h - mean) / sqrt(var + eps) + bias, every image its own.

    `share` is the paper's a. The variances are biased, where the authors' code has unbiased ones.
    Images without a support set describe themselves.
    """

    needs_support: ClassVar[bool] = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(()))

    @abstractmethod
    def image_moments(
        self, h: Float[Tensor, "task example channel *space"]
    ) -> tuple[Float[Tensor, "task example _"], Float[Tensor, "task example _"]]:
        """Mean and biased variance of each image: of every channel, or one for all."""

    @property
    def keeps(self) -> bool:
        return True

    def describe(self, support: Float[Tensor, "task example channel *space"]) -> SiteParams:
        share = torch.sigmoid(self.slope * support.shape[1] + self.offset)
        return {**task_moments(support), "share": share.expand(len(support))}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        kept = kept if "mean" in kept else self.describe(h)
        share = kept["share"].view(-1, 1, 1)
        mean_s, var_s = kept["mean"].unsqueeze(1), kept["var"].unsqueeze(1)
        mean_i, var_i = self.image_moments(h)
        mean = share * mean_s + (1 - share) * mean_i
        # what both moments put around the common mean, which leaves a (1 - a) (m_s - m_i)^2
        var = share * var_s + (1 - share) * var_i
        var = var + share * (1 - share) * (mean_s - mean_i).square()
        images = h.flatten(0, 1).unsqueeze(1)  # every image as a task of its own
        moments = {"mean": mean.flatten(0, 1), "var": var.flatten(0, 1)}
        return standardized(images, moments, self.weight, self.bias).view_as(h)
