"""The mean of the class prototypes as task embedding (TADAM, Oreshkin et al. 2018, section 3.3)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.parts.encoder.base import FeatureFunction, TaskEncoder
from fewshot_film.parts.head import class_means
from fewshot_film.tasks.episode import LabeledSet


@final
class PrototypeMean(TaskEncoder):
    """z = mean over classes of the mean unconditioned feature of each class.

    It costs a second pass over the support set, which in training also feeds the batch norms'
    running statistics, as in TADAM's code. It sees where the task lies, not what separates
    its classes: tasks that differ only in which attribute is asked have one and the same z.
    """

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.embedding_dim = feature_dim

    def forward(
        self, support: LabeledSet, way: int, features: FeatureFunction
    ) -> Float[Tensor, "task embedding"]:
        return class_means(features(support.images).float(), support.labels, way).mean(1)
