"""Adapters that break a law."""

from typing import final

import torch

from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.episode import LabeledSet


@final
class FirstImage(Adapter):
    """The brightness of the first image decides."""

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        del way
        bright = support.images[:, 0].flatten(1).mean(1)
        return {
            site: {
                name: value + bright.view(-1, *[1] * value.ndim) for name, value in params.items()
            }
            for site, params in extractor.identity().items()
        }


@final
class Descending(Adapter):
    """It leaves the gradient of its support set behind in the network."""

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> None:
        del way
        if torch.is_grad_enabled():
            extractor(support.images).square().mean().backward()


@final
class Switching(Adapter):
    """It looks at the network in evaluation, and leaves it there."""

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> None:
        del support, way
        extractor.eval()
