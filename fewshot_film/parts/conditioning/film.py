"""FiLM: feature-wise linear modulation (Perez et al. 2018; Dumoulin et al., Distill 2018)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Affine, Conditioning, SiteParams, channel_affine


@final
class FiLM(Conditioning):
    """h -> gamma * h + beta, per task and channel, the same at every position."""

    def identity(self) -> SiteParams:
        return {"gamma": torch.ones(self.channels), "beta": torch.zeros(self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        return channel_affine(h, self.affine(params))

    def affine(self, params: SiteParams) -> Affine:
        return params["gamma"], params["beta"]
