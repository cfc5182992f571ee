"""Linear discriminant analysis (Fisher 1936), with a covariance shrunk towards a sphere.

FiT's head of this name (Shysheya et al. 2022) takes the covariance of the whole support set, which
also holds what tells the classes apart, plus the identity, by two learned weights.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor

from fewshot_film.base.values import Above, AtMost
from fewshot_film.parts.head.base import (
    Features,
    Head,
    HeadParams,
    Labels,
    Logits,
    Queries,
    learnable_scale,
)
from fewshot_film.parts.head.classes import class_means, residuals
from fewshot_film.parts.head.linear import (
    centred,
    cholesky,
    linear_logits,
    linear_params,
    plus_identity,
)

NEGLIGIBLE = 1e-10
"""The share of the variance that, within the classes, is rounding."""

OfTask: TypeAlias = Float[Tensor, "task 1 1"]


@final
class LDAHead(Head):
    """-scale * (z - p_k)^T S^-1 (z - p_k), less what all classes share; S = (1 - s) W / w + s I.

    The p_k are the prototypes, of features of length 1 if `normalized`; W is the covariance within
    the classes, pooled, w its mean variance, and s the `shrinkage`, which every task finds for
    itself unless it is given (`oracle_shrinkage`). At s = 1, and where nothing varies within the
    classes, as at one shot, it is the squared Euclidean distance to the prototypes.
    """

    def __init__(
        self,
        *,
        shrinkage: Annotated[float | None, Above(0), AtMost(1)] = None,
        normalized: bool = True,
        scale: Annotated[float, Above(0)] = 10.0,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.shrinkage, self.normalized = shrinkage, normalized
        self.log_scale = learnable_scale(scale, learned)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        values, mean = centred(features, self.normalized)
        prototypes = class_means(values, labels, way)
        apart, missing = of_unit_variance(residuals(values, labels, way), values)
        gram = apart @ apart.transpose(1, 2)
        freedom = labels.shape[1] - way
        s = self.shrinkage or oracle_shrinkage(gram, freedom, values.shape[2])
        # S = (1 - s) A^T A + across I, inverted in the space of the examples (Woodbury 1950)
        across = missing + s * (1 - missing)
        factor = cholesky(plus_identity((1 - s) * gram, across))
        pulled = torch.cholesky_solve(apart @ prototypes.transpose(1, 2), factor)
        weight = (prototypes - (1 - s) * pulled.transpose(1, 2) @ apart) / across
        return linear_params(2 * weight, mean, -(weight * prototypes).sum(2))

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        return self.log_scale.exp() * linear_logits(queries, fitted, self.normalized)


def of_unit_variance(residual: Features, values: Features) -> tuple[Features, OfTask]:
    """A with A^T A = W / w, and what its mean variance lacks of 1: nothing, or all where w = 0.

    Between the two, a floor far below the variance of the values keeps rounding from being blown up
    to a covariance.
    """
    within = residual.square().sum((1, 2), keepdim=True)
    floor = NEGLIGIBLE * values.square().sum((1, 2), keepdim=True)
    whole = (within + floor).clamp(min=torch.finfo(values.dtype).tiny)
    return residual * (values.shape[2] / whole).sqrt(), floor / whole


def oracle_shrinkage(
    gram: Float[Tensor, "task example example"], freedom: int, size: int
) -> OfTask:
    """((1 - 2/D) tr(W^2) + tr(W)^2) / ((n + 1 - 2/D) (tr(W^2) - tr(W)^2 / D)), at most 1.

    The shrinkage of a Gaussian covariance of D features, estimated with n degrees of freedom, that
    comes nearest the truth (OAS, Chen et al. 2010, equation 23). `gram` has the traces of W.
    """
    least = torch.finfo(gram.dtype).eps
    trace = gram.diagonal(dim1=1, dim2=2).sum(1).view(-1, 1, 1)
    rank = trace.square() / gram.square().sum((1, 2), keepdim=True).clamp(min=least)
    known = (max(freedom, 1) + 1 - 2 / size) * (1 - rank / size)
    return ((1 - 2 / size + rank) / known.clamp(min=least)).clamp(0, 1)
