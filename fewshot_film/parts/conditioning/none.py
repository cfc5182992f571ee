"""No conditioning: a site that the task cannot steer."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Conditioning, SiteParams


@final
class Unconditioned(Conditioning):
    """h -> h, without parameters."""

    def identity(self) -> SiteParams:
        return {}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        del params
        return h
