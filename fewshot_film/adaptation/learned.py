"""The learned adapter: a task encoder and a generator, trained with the extractor."""

from __future__ import annotations

from typing import final

from fewshot_film.adaptation.base import Adapter
from fewshot_film.conditioning import TaskParams
from fewshot_film.encoder import TaskEncoder
from fewshot_film.episodes import LabeledSet
from fewshot_film.extractor import Extractor
from fewshot_film.generator import Generator


@final
class LearnedAdapter(Adapter):
    """support -> generator(encoder(support))."""

    def __init__(self, encoder: TaskEncoder, generator: Generator) -> None:
        super().__init__()
        self.encoder, self.generator = encoder, generator

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        params: TaskParams = self.generator(self.encoder(support, way, extractor))
        return params
