"""Group normalization (Wu and He 2018): an image's own moments, by groups of channels."""

from __future__ import annotations

from math import gcd
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization

GROUPS = 8


@final
class GroupNorm(Normalization):
    """weight * (h - mean) / sqrt(var + eps) + bias, with the moments of a group in one image.

    By default there are eight groups, or as many of them as divide the channels.
    """

    def __init__(self, channels: int, groups: int | None = None) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups or gcd(channels, GROUPS), channels)

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del kept
        normalized: Tensor = self.group_norm(h.flatten(0, 1))
        return normalized.unflatten(0, h.shape[:2])
