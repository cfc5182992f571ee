"""z = log B - log W: what separates the classes of a task, feature by feature."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fewshot_film.parts.encoder.base import TaskEncoder
from fewshot_film.parts.head import class_means

EPSILON = 1e-4


class Contrast(TaskEncoder):
    """z = log B - log W: between-class over within-class variance of each embedded feature.

    B is the unbiased variance of the class means and W the pooled within-class variance. The mean
    is left out on purpose: it does not tell which of several attributes a task asks for.

    W is estimated from N - way degrees of freedom and blended with a running average of earlier
    batches, which weighs as much as `prior` of them: W = (S + prior * W0) / (N - way + prior).
    With one shot there is no within-class variance to see and W = W0, a pooled prior; z then
    tells only where the class means differ. W0 is learned from batches of more than one shot; an
    encoder that was trained on one-shot tasks alone has W0 = 1.
    """

    within: Tensor
    tells_labellings: ClassVar[bool] = True

    def __init__(self, embedding_dim: int, prior: float, momentum: float) -> None:
        super().__init__()
        self.embedding_dim, self.prior, self.momentum = embedding_dim, prior, momentum
        self.register_buffer("within", torch.ones(embedding_dim))

    def summarise(
        self,
        embedded: Float[Tensor, "task example embedding"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task embedding"]:
        """log B - log W of the labelling given."""
        means = class_means(embedded, labels, way)
        index = labels.unsqueeze(-1).expand(-1, -1, means.shape[-1])
        squares = (embedded - means.gather(1, index)).square().sum(1)
        freedom = labels.shape[1] - way
        if self.training and freedom > 0:
            self._remember(squares / freedom)
        within = (squares + self.prior * self.within) / (freedom + self.prior)
        return (means.var(dim=1) + EPSILON).log() - (within + EPSILON).log()

    @torch.no_grad()
    def _remember(self, within: Float[Tensor, "task embedding"]) -> None:
        self.within.lerp_(within.mean(0), self.momentum)
