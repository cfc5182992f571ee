"""Ridge regression on the labels, solved in closed form (R2-D2, Bertinetto et al. 2019)."""

from __future__ import annotations

from typing import Annotated, TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

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
from fewshot_film.parts.head.classes import class_sizes
from fewshot_film.parts.head.linear import (
    centred,
    cholesky,
    linear_logits,
    linear_params,
    plus_identity,
)

RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""What a ridge is chosen from."""
USUAL_RIDGE = 0.1
"""The ridge of a task in which no class has two images, where nothing can be left out."""

Kernel: TypeAlias = Float[Tensor, "task example example"]
Targets: TypeAlias = Float[Tensor, "task example way"]


@final
class RidgeHead(Head):
    """scale * (W (z - m) + y), (W, y) = argmin sum_i |W (x_i - m) + y - onehot_i|^2 + ridge |W|^2.

    The x_i are the support set's features, of length 1 if `normalized`, and m is their mean, so y
    is the classes' shares. W = Y^T (K + ridge I)^-1 X of centred features X, labels Y and K = X X^T
    needs no matrix larger than examples x examples. Without a `ridge`, every task takes the one of
    RIDGES with the least squared error on examples left out.
    """

    def __init__(
        self,
        *,
        ridge: Annotated[float | None, Above(0)] = None,
        normalized: bool = True,
        scale: Annotated[float, Above(0)] = 10.0,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.ridge, self.normalized = ridge, normalized
        self.log_scale = learnable_scale(scale, learned)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        apart, mean = centred(features, self.normalized)
        targets = F.one_hot(labels, way).to(apart.dtype)
        shares = targets.mean(1)
        targets, kernel = targets - shares.unsqueeze(1), apart @ apart.transpose(1, 2)
        ridge = self.ridge or chosen_ridge(kernel, targets, labels)
        dual = torch.cholesky_solve(targets, cholesky(plus_identity(kernel, ridge)))
        return linear_params(dual.transpose(1, 2) @ apart, mean, shares)

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        return self.log_scale.exp() * linear_logits(queries, fitted, self.normalized)

    def score_left_out(
        self, features: Features, labels: Labels, way: int
    ) -> Float[Tensor, "task example way"]:
        """Label less residual, in closed form; a ridge that is chosen is chosen for each anew."""
        if self.ridge is None:
            return super().score_left_out(features, labels, way)
        apart, _ = centred(features, self.normalized)
        targets = F.one_hot(labels, way).to(apart.dtype)
        ridges = apart.new_tensor([self.ridge])
        residuals = left_out_residuals(apart @ apart.transpose(1, 2), targets, ridges)
        return self.log_scale.exp() * (targets - residuals.squeeze(1))


def left_out_residuals(
    kernel: Kernel, targets: Targets, ridges: Float[Tensor, " ridge"]
) -> Float[Tensor, "task ridge example way"]:
    """((I - H) Y)_i / (1 - h_ii): label less prediction of the fit without example i (Allen 1974).

    H = 1 1^T / N + K (K + ridge I)^-1 takes the labels to the predictions, so that with G =
    (K + ridge I)^-1 and centred labels Y, (I - H) Y = ridge G Y and 1 - h_ii = ridge g_ii - 1 / N.
    """
    targets = targets - targets.mean(1, keepdim=True)
    ridges = ridges.view(-1, 1, 1)
    inverse = torch.cholesky_inverse(cholesky(plus_identity(kernel.unsqueeze(1), ridges)))
    room = ridges * inverse.diagonal(dim1=2, dim2=3).unsqueeze(3) - 1 / kernel.shape[1]
    return ridges * (inverse @ targets.unsqueeze(1)) / room


@torch.no_grad()
def chosen_ridge(kernel: Kernel, targets: Targets, labels: Labels) -> Float[Tensor, "task 1 1"]:
    """The one of RIDGES whose left-out residuals have the least squares (PRESS, Allen 1974).

    An example that is alone in its class has no say: without it nobody could know the class.
    """
    ridges = kernel.new_tensor(RIDGES)
    company = class_sizes(labels, targets.shape[2]).gather(1, labels) > 1
    squares = left_out_residuals(kernel, targets, ridges).square().sum(3)
    best = ridges[(squares * company.unsqueeze(1)).sum(2).argmin(1)]
    return best.where(company.any(1), USUAL_RIDGE).view(-1, 1, 1)
