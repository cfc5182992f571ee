"""The upper bound of every task encoder: one that is told what a task asks for.

Importing this module gives the part its name, "told".
"""

from __future__ import annotations

from typing import Annotated, final

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.values import AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.encoder import ENCODERS, TaskEncoder
from fewshot_film.tasks.episode import LabeledSet


@final
class Told(TaskEncoder):
    """z = which of the support set's factors its labels are, as a one-hot vector.

    No method can know it: the factors are for training's loss alone.
    """

    def __init__(self, *, factors: Annotated[int, AtLeast(2)] = 6) -> None:
        super().__init__()
        self.embedding_dim = factors

    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example embedding"]:
        del features
        return images.new_zeros(*images.shape[:2], self.embedding_dim)

    def summarise(
        self,
        embedded: Float[Tensor, "task example embedding"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task embedding"]:
        del embedded, labels, way
        raise UsageError("what a task asks for is told with its factors; give the whole set")

    def forward(
        self, support: LabeledSet, way: int, features: nn.Module
    ) -> Float[Tensor, "task embedding"]:
        del way, features
        if support.factors is None:
            raise UsageError("these tasks tell no factors; take some whose nuisance is crossed")
        return F.one_hot(asked_factor(support), self.embedding_dim).to(support.images.dtype)


def asked_factor(support: LabeledSet) -> Int64[Tensor, " task"]:
    """Which of its factors the labels of each task's support set are."""
    assert support.factors is not None
    agrees = (support.factors == support.labels.unsqueeze(2)).all(1)
    return agrees.int().argmax(1)


NAME = "told"
ENCODERS.parts[NAME] = Told
