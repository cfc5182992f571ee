"""Mechanisms that break a law."""

from typing import final

import torch
from torch import Tensor

from fewshot_film.parts.conditioning import Conditioning, SiteParams
from fewshot_film.parts.conditioning.base import per_channel


class Scaling(Conditioning):
    """h -> gamma * h, which breaks none."""

    def identity(self) -> SiteParams:
        return {"gamma": torch.ones(self.channels)}

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return h * per_channel(params["gamma"], h)


@final
class Widening(Scaling):
    """It gives every example twice."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return torch.cat([super().forward(h, params)] * 2, dim=1)


@final
class Deaf(Scaling):
    """It does not look at its parameter."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        del params
        return h


@final
class Shifting(Scaling):
    """Its identity is not neutral."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, params) + 0.5


@final
class MixingTasks(Scaling):
    """Every task gets the parameters of the mean task."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        gamma = params["gamma"]
        return super().forward(h, {"gamma": gamma.mean(0, keepdim=True).expand_as(gamma)})


@final
class MixingExamples(Scaling):
    """An example depends on its neighbours."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h - h.mean(1, keepdim=True), params)


@final
class Placed(Scaling):
    """An example depends on its place."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        place = torch.arange(1, h.shape[1] + 1).to(h)
        return super().forward(h, params) * place.view(-1, *[1] * (h.ndim - 2))


@final
class Coarse(Scaling):
    """It rounds float32."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        rounded = h.bfloat16().float() if h.dtype == torch.float32 else h
        return super().forward(rounded, params)


@final
class Single(Scaling):
    """It changes the dtype."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, params).float()


@final
class Detached(Scaling):
    """No gradient reaches its parameter."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, {"gamma": params["gamma"].detach()})


@final
class Counting(Scaling):
    """It remembers how often it was called."""

    calls = 0

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        self.calls += 1
        return super().forward(h, params) * self.calls


@final
class Tracing(Scaling):
    """It is another function where it is traced."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, params) * (2 if torch.compiler.is_compiling() else 1)


@final
class ElsewhereOnCuda(Scaling):
    """It is another function on a GPU."""

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, params) * (2 if h.is_cuda else 1)


@final
class Unsaved(Scaling):
    """It has a tensor that no state dict holds."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.offset = torch.randn(channels)

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return super().forward(h, params) + per_channel(self.offset.expand(len(h), -1), h)


@final
class NamedMean(Conditioning):
    """Its parameter has the name of what normalizations keep."""

    def identity(self) -> SiteParams:
        return {"mean": torch.zeros(self.channels)}

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        return h + per_channel(params["mean"], h)
