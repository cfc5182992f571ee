"""No adaptation: the plain prototypical network."""

from __future__ import annotations

from typing import final

from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.episode import LabeledSet


@final
class NoAdaptation(Adapter):
    """support -> None: every task gets the same extractor."""

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> None:
        del support, way, extractor
