"""The learned adapter: a task encoder and a generator, trained with the extractor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, final

from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator import Generator
from fewshot_film.tasks.episode import LabeledSet

EncoderPass: TypeAlias = Callable[[Extractor], AbstractContextManager[Any]]


@final
class LearnedAdapter(Adapter):
    """support -> generator(encoder(support)).

    `encoder_pass(extractor)` is entered while the encoder looks at the support set:
    `modes.uncounted` keeps what it passes through the extractor out of the running statistics,
    `modes.running` normalises it by them in training too.
    """

    def __init__(
        self,
        encoder: TaskEncoder,
        generator: Generator,
        encoder_pass: EncoderPass = nullcontext,
    ) -> None:
        super().__init__()
        self.encoder, self.generator, self.encoder_pass = encoder, generator, encoder_pass

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        with self.encoder_pass(extractor):
            z = self.encoder(support, way, extractor)
        params: TaskParams = self.generator(z)
        return params
