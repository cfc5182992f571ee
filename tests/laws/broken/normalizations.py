"""Normalizations that break a law."""

from typing import final

import torch
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.parts.normalization import Normalization
from fewshot_film.parts.normalization.base import standardized, task_moments


class Plain(Normalization):
    """weight * h + bias, which breaks none."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        del kept
        return h * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class BySupport(Plain):
    """By the moments that `describe` keeps, which breaks none."""

    epsilon = 1e-5

    @property
    def keeps(self) -> bool:
        return True

    def describe(self, support: Tensor) -> SiteParams:
        return task_moments(support)

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        kept = kept or self.describe(h)
        return standardized(h, kept, self.weight, self.bias, self.epsilon)


@final
class Flattening(Plain):
    """It loses the space."""

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        return super().forward(h, kept).flatten(3)


@final
class MixingTasks(Plain):
    """It takes the mean of all tasks away."""

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        return super().forward(h - h.mean((0, 1), keepdim=True), kept)


@final
class Peeking(Plain):
    """It looks at the queries together, and does not say so."""

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        del kept
        return standardized(h, task_moments(h), self.weight, self.bias)


@final
class Ordered(BySupport):
    """It describes the first image alone."""

    def describe(self, support: Tensor) -> SiteParams:
        return task_moments(support[:, :1])


@final
class Hiding(BySupport):
    """It keeps something, and does not say so."""

    @property
    def keeps(self) -> bool:
        return False


@final
class Dividing(BySupport):
    """Nothing is added to the variance."""

    epsilon = 0.0


@final
class Following(Plain):
    """It keeps a running mean, in evaluation too."""

    seen: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        self.seen.lerp_(h.detach().mean(), 0.1)
        return super().forward(h - self.seen, kept)


@final
class Detached(Plain):
    """No gradient reaches its weight."""

    def forward(self, h: Tensor, kept: SiteParams) -> Tensor:
        del kept
        return h * self.weight.detach().view(-1, 1, 1) + self.bias.view(-1, 1, 1)
