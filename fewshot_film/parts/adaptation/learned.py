"""The learned adapter: a task encoder and a generator, trained with the extractor."""

from __future__ import annotations

from typing import final

from torch import Tensor

from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator import Generator
from fewshot_film.tasks.episode import LabeledSet


@final
class LearnedAdapter(Adapter):
    """support -> generator(encoder(support))."""

    def __init__(self, encoder: TaskEncoder, generator: Generator) -> None:
        super().__init__()
        self.encoder, self.generator = encoder, generator

    def check_images(self, images: Tensor) -> None:
        self.encoder.check_images(images)

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        params: TaskParams = self.generator(self.encoder(support, way, extractor))
        return params
