"""Group normalization (Wu and He 2018): an image's own moments, by groups of channels."""

from __future__ import annotations

from math import gcd
from typing import Annotated, final

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.values import AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization.base import Normalization

GROUPS = 8


@final
class GroupNorm(Normalization):
    """weight * (h - mean) / sqrt(var + eps) + bias, with the moments of a group in one image.

    By default there are eight groups, or as many of them as divide the channels.
    """

    def __init__(self, channels: int, *, groups: Annotated[int | None, AtLeast(1)] = None) -> None:
        super().__init__()
        groups = groups or gcd(channels, GROUPS)
        if channels % groups:
            raise UsageError(f"`groups` is {groups}; it must divide the {channels} channels")
        self.group_norm = nn.GroupNorm(groups, channels)

    def forward(
        self, h: Float[Tensor, "task example channel *space"], kept: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del kept
        normalized: Tensor = self.group_norm(h.flatten(0, 1))
        return normalized.unflatten(0, h.shape[:2])
