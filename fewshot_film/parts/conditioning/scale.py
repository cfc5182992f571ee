"""Conditional scaling: the multiplicative half of FiLM (Dumoulin et al., Distill 2018)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Affine, Conditioning, SiteParams, per_channel


@final
class Scale(Conditioning):
    """h -> gamma * h, per task and channel."""

    def identity(self) -> SiteParams:
        return {"gamma": torch.ones(self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        return h * per_channel(params["gamma"], h)

    def affine(self, params: SiteParams) -> Affine:
        return params["gamma"], torch.zeros_like(params["gamma"])
