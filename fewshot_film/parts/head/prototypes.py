"""Prototype heads: logits are scaled similarities to class means (Snell et al. 2017)."""

from __future__ import annotations

from typing import Annotated

from jaxtyping import Float
from torch import Tensor

from fewshot_film.base.values import Above
from fewshot_film.parts.head.base import (
    Features,
    Head,
    HeadParams,
    Labels,
    Logits,
    Queries,
    learnable_scale,
)
from fewshot_film.parts.head.classes import class_means, class_sizes, own
from fewshot_film.parts.head.similarity import (
    Similarity,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)


class PrototypeHead(Head):
    """exp(log_scale) * similarity(queries, class means).

    The scale is TADAM's alpha (section 3.1); it starts at `scale` and stays there unless `learned`.
    """

    def __init__(
        self,
        similarity: Similarity = negative_squared_euclidean,
        scale: float = 1.0,
        *,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self.log_scale = learnable_scale(scale, learned)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        return {"prototypes": class_means(features, labels, way)}

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        return self.log_scale.exp() * self.similarity(queries, fitted["prototypes"])

    def score_left_out(
        self, features: Features, labels: Labels, way: int
    ) -> Float[Tensor, "task example way"]:
        """An example moves the mean p of its own n alone, to p + (p - x) / (n - 1)."""
        means = class_means(features, labels, way)
        others = (class_sizes(labels, way).gather(1, labels) - 1).unsqueeze(2)
        mean = own(means, labels)
        left = mean + (mean - features) / others
        pairs = self.similarity(*(x.flatten(0, 1).unsqueeze(1) for x in (features, left)))
        logits = self.similarity(features, means)
        logits = logits.scatter(2, labels.unsqueeze(2), pairs.view(*labels.shape, 1))
        return self.log_scale.exp() * logits


def squared_euclidean_head(
    *, scale: Annotated[float, Above(0)] = 1.0, learned: bool = True
) -> PrototypeHead:
    """-scale * |q - p|^2 (Snell et al. 2017)."""
    return PrototypeHead(negative_squared_euclidean, scale, learned=learned)


def euclidean_head(
    *, scale: Annotated[float, Above(0)] = 1.0, learned: bool = True
) -> PrototypeHead:
    """-scale * |q - p|, not squared (TADAM's code, Oreshkin et al. 2018)."""
    return PrototypeHead(negative_euclidean, scale, learned=learned)


def cosine_head(*, scale: Annotated[float, Above(0)] = 10.0, learned: bool = True) -> PrototypeHead:
    """scale * <q, p> / (|q| |p|) (Vinyals et al. 2016)."""
    return PrototypeHead(cosine, scale, learned=learned)
