"""No adaptation: the plain prototypical network."""

from __future__ import annotations

from typing import final

from fewshot_film.adaptation.base import Adapter
from fewshot_film.episodes import LabeledSet
from fewshot_film.extractor import Extractor


@final
class NoAdaptation(Adapter):
    """support -> None: every task gets the same extractor."""

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> None:
        del support, way, extractor
