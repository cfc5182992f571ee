"""FiLM: feature-wise linear modulation (Perez et al. 2018; Dumoulin et al., Distill 2018)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Conditioning, SiteParams, per_channel


@final
class FiLM(Conditioning):
    """h -> gamma * h + beta, per task and channel, the same at every position."""

    def identity(self) -> SiteParams:
        return {"gamma": torch.ones(self.channels), "beta": torch.zeros(self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        return torch.addcmul(per_channel(params["beta"], h), h, per_channel(params["gamma"], h))
