"""Adapter: support set -> task parameters; the one extension point for a method."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.episode import LabeledSet


class Adapter(nn.Module, ABC):
    """(support, way) -> the parameters of the extractor's sites, or None for no conditioning.

    The extractor is lent for the call, for methods that look at its features or its statistics;
    an adapter never owns it. A transductive one is also lent the queries, as the support's
    `unlabeled` images; no other ever sees them.
    """

    transductive: bool = False

    @property
    def trained(self) -> Adapter:
        """What a training sees of it: itself, unless it wraps another for its evaluation."""
        return self

    def check_images(self, images: Tensor) -> None:
        """Images are of a shape that it can look at, or an error says which that is."""

    @abstractmethod
    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams | None: ...
