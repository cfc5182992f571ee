"""Sigmoid gate: scaling restricted to (0, 1) (Dumoulin et al., Distill 2018)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.conditioning.base import Affine, Conditioning, SiteParams, per_channel


@final
class Gate(Conditioning):
    """h -> sigmoid(gate) * h, per task and channel.

    No finite gate is neutral: the starting value 0 halves every feature alike.
    """

    def identity(self) -> SiteParams:
        return {"gate": torch.zeros(self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        return h * per_channel(params["gate"].sigmoid(), h)

    def affine(self, params: SiteParams) -> Affine:
        return params["gate"].sigmoid(), torch.zeros_like(params["gate"])
