"""A mechanism whose parameters are matrices and that has an option, which the laws are tried on."""

from typing import Annotated, final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.base.values import AtLeast
from fewshot_film.parts.conditioning import Conditioning, SiteParams


@final
class LowRank(Conditioning):
    """h -> h + left right h, a map of the channels of a rank that starts at the identity."""

    def __init__(self, channels: int, *, rank: Annotated[int, AtLeast(1)] = 1) -> None:
        super().__init__(channels)
        self.rank = rank

    def identity(self) -> SiteParams:
        left = torch.eye(self.channels, self.rank)
        return {"left": left, "right": torch.zeros(self.rank, self.channels)}

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        left, right = (params[name].to(h.dtype) for name in ("left", "right"))
        return h + torch.einsum("tcr,trd,ted...->tec...", left, right, h)
