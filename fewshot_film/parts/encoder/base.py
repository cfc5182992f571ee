"""TaskEncoder: support set -> task embedding z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.tasks.episode import LabeledSet

FeatureFunction: TypeAlias = Callable[[Tensor], Tensor]
"""images (task, example, ...) -> unconditioned features (task, example, feature)."""


class TaskEncoder(nn.Module, ABC):
    """(support, way) -> z, whatever the order of the support set.

    An encoder that reads the extractor's own features calls `features`; it never owns them.
    """

    embedding_dim: int

    @abstractmethod
    def forward(
        self, support: LabeledSet, way: int, features: FeatureFunction
    ) -> Float[Tensor, "task embedding"]: ...
