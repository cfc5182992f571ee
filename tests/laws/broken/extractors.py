"""Extractors that break a law."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor, Site
from fewshot_film.parts.extractor.base import ConditioningFactory, NormalizationFactory, Visit


class Small(Extractor):
    """Two convolutions with a site each, which break none."""

    def __init__(
        self,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory,
        channels: int,
    ) -> None:
        super().__init__(channels=channels)
        self.first = nn.Conv2d(channels, 4, 3, stride=2)
        self.second = nn.Conv2d(4, 4, 3, stride=2)
        self.low, self.high = (Site(4, conditioning, normalization) for _ in range(2))

    def sites(self) -> dict[str, Site]:
        return {"low": self.low, "high": self.high}

    def embed(self, images: Tensor, at: Visit) -> Tensor:
        h = F.relu(at("low", self.low, self.first(images)))
        return at("high", self.high, self.second(h)).mean((2, 3))


@final
class Unscaled(Small):
    """It says another size than it gives."""

    def feature_dim(self, channels: int, size: int) -> int:
        return super().feature_dim(channels, size) + 1


@final
class Backwards(Small):
    """It names its sites from the top."""

    def sites(self) -> dict[str, Site]:
        return {"high": self.high, "low": self.low}


@final
class Mixing(Small):
    """An example depends on its neighbours."""

    def embed(self, images: Tensor, at: Visit) -> Tensor:
        return super().embed(images - images.mean(0, keepdim=True), at)


@final
class Overflowing(Small):
    """What bfloat16 rounds away decides."""

    def embed(self, images: Tensor, at: Visit) -> Tensor:
        h = super().embed(images, at)
        return (F.linear(h, torch.eye(4)) + 1000) - 1000


@final
class Raw(Small):
    """Bytes are taken for floats."""

    def forward(self, images: Tensor, params: TaskParams | None = None) -> Tensor:
        return super().forward(images.float(), params)


@final
class Viewing(Small):
    """It turns images that lie in memory channels-last."""

    def forward(self, images: Tensor, params: TaskParams | None = None) -> Tensor:
        turned = images if images.stride(-1) == 1 else images.transpose(-1, -2)
        return super().forward(turned, params)
