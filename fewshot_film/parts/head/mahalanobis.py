"""Mahalanobis distances, with a covariance for every class (Simple CNAPS, Bateni et al. 2020)."""

from __future__ import annotations

from typing import Annotated, final

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
from fewshot_film.parts.head.classes import class_means
from fewshot_film.parts.head.linear import cholesky, plus_identity
from fewshot_film.parts.head.similarity import negative_squared_euclidean


@final
class MahalanobisHead(Head):
    """-scale * (z - p_k)^T Q_k^-1 (z - p_k), Q_k = l_k S_k + (1 - l_k) S + ridge I.

    S_k is the covariance of class k, S that of the support set and l_k = n_k / (n_k + 1), of n_k
    examples; the paper's ridge is 1. A class of one example has S_k = 0; the authors' code has the
    variance over its features, in every entry.

    With X the centred features, Q_k = ridge (I + X^T B_k X) for a small B_k, and Q_k^-1 =
    (I - X^T (B_k^-1 + X X^T)^-1 X) / ridge needs no matrix of feature x feature (Woodbury 1950).
    """

    def __init__(
        self,
        *,
        ridge: Annotated[float, Above(0)] = 1.0,
        scale: Annotated[float, Above(0)] = 1.0,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.ridge = ridge
        self.log_scale = learnable_scale(scale, learned)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        """`root` is R_k with R_k^T R_k = (B_k^-1 + X X^T)^-1, and `spread` is X."""
        spread = features - features.mean(1, keepdim=True)
        kernel = (spread @ spread.transpose(1, 2)).unsqueeze(1)
        member = F.one_hot(labels, way).to(features.dtype).transpose(1, 2)
        factor = cholesky(kernel + self.ridge * inverse_mixtures(member))
        identity = plus_identity(torch.zeros_like(factor), 1.0)
        root = torch.linalg.solve_triangular(factor, identity, upper=False)
        return {"prototypes": class_means(features, labels, way), "spread": spread, "root": root}

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        prototypes = fitted["prototypes"]
        center = prototypes.mean(1, keepdim=True)  # as for the distances, less to cancel
        spread = fitted["spread"].transpose(1, 2)
        query, prototype = (queries - center) @ spread, (prototypes - center) @ spread
        apart = query.unsqueeze(1) - prototype.unsqueeze(2)
        spanned = (apart @ fitted["root"].transpose(2, 3)).square().sum(3)
        outside = negative_squared_euclidean(queries, prototypes) + spanned.transpose(1, 2)
        return self.log_scale.exp() / self.ridge * outside


def inverse_mixtures(
    member: Float[Tensor, "task way example"],
) -> Float[Tensor, "task way example example"]:
    """B_k^-1 = I / a_k - b_k / (a_k (a_k + b_k)) C_k, of B_k = a_k I + b_k C_k.

    It mixes S = X^T X / (N - 1) and S_k = X^T C_k X / (n_k - 1), where C_k centres the examples of
    class k and takes all others away: a_k = (1 - l_k) / (N - 1) and b_k = l_k / (n_k - 1).
    """
    size = member.sum(2).clamp(min=1)[:, :, None, None]
    centring = torch.diag_embed(member) - member.unsqueeze(3) * member.unsqueeze(2) / size
    a = 1 / (size + 1) / (member.shape[2] - 1)
    b = size / (size + 1) / (size - 1).clamp(min=1)
    return plus_identity(-b / (a * (a + b)) * centring, 1 / a)
