"""Conditional bias: the additive half of FiLM (Dumoulin et al., Distill 2018)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Affine, Conditioning, SiteParams, per_channel


@final
class Bias(Conditioning):
    """h -> h + beta, per task and channel; so acts a z concatenated to a layer's input."""

    def identity(self) -> SiteParams:
        return {"beta": torch.zeros(self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        return h + per_channel(params["beta"], h)

    def affine(self, params: SiteParams) -> Affine:
        return torch.ones_like(params["beta"]), params["beta"]
