"""Multinomial logistic regression, fitted to its optimum (Tian et al. 2020)."""

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
from fewshot_film.parts.head.linear import (
    centred,
    cholesky,
    linear_logits,
    linear_params,
    plus_identity,
)

STEPS = 10
"""Newton steps, each of the best length, before the last."""
LENGTHS = (*(2.0**k for k in range(3, -8, -1)), 0.0)
"""What a step is multiplied by, whichever lowers the loss most: where classes are well apart the
way is long, and Newton's steps are short."""

Kernel: TypeAlias = Float[Tensor, "task example example"]
Values: TypeAlias = Float[Tensor, "task example way"]


@final
class LogisticHead(Head):
    """scale * W (z - m), W = argmin sum_i cross_entropy(W (x_i - m), y_i) + ridge / 2 |W|^2.

    The x_i are the support set's features, of length 1 if `normalized`, and m is their mean, which
    stands for an intercept. W = A^T X / ridge of centred features X, and Newton's method finds A in
    the space of the examples, from zero.
    """

    def __init__(
        self,
        *,
        ridge: Annotated[float, Above(0)] = 0.01,
        normalized: bool = True,
        scale: Annotated[float, Above(0)] = 1.0,
        learned: bool = True,
    ) -> None:
        super().__init__()
        self.ridge, self.normalized = ridge, normalized
        self.log_scale = learnable_scale(scale, learned)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        apart, mean = centred(features, self.normalized)
        targets = F.one_hot(labels, way).double()
        # a small problem, but an ill-conditioned one where the ridge is small beside the features
        exact = apart.double()
        dual = optimum(exact @ exact.transpose(1, 2) / self.ridge, targets)
        weight = (dual.transpose(1, 2) @ exact / self.ridge).to(apart.dtype)
        return linear_params(weight, mean, torch.zeros_like(weight[..., 0]))

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        return self.log_scale.exp() * linear_logits(queries, fitted, self.normalized)


def optimum(kernel: Kernel, targets: Values) -> Values:
    """A = argmin sum_i cross_entropy((K A)_i, y_i) + tr(A^T K A) / 2, where A = Y - P.

    Gradients flow through the last step alone, and there through what it takes away from Y - P - A:
    at the optimum that is the derivative of A (the implicit function theorem).
    """
    dual = torch.zeros_like(targets)
    with torch.no_grad():
        for _ in range(STEPS):
            p = (kernel @ dual).softmax(2)
            step = newton(kernel, p, targets - p - dual)
            dual = dual + _length(kernel, dual, step, targets) * step
    p = (kernel @ dual).softmax(2)
    return dual + newton(kernel.detach(), p.detach(), targets - p - dual)


def newton(kernel: Kernel, p: Values, missing: Values) -> Values:
    """(I + (D - P P^T) K)^-1 missing, a step to Y - P (Rasmussen and Williams 2006, section 3.5).

    With E_c = (K + D_c^-1)^-1 of every class c and M = sum_c E_c, it is g - E (K g - M^-1 sum_c E_c
    K g_c): as many systems as there are classes, of the size of K, where g = missing.
    """
    each = _inverses(kernel, p)
    pulled = (kernel @ missing).transpose(1, 2).unsqueeze(3)
    shared = torch.cholesky_solve((each @ pulled).sum(1), cholesky(each.sum(1)))
    return missing - (each @ (pulled - shared.unsqueeze(1))).squeeze(3).transpose(1, 2)


def _inverses(kernel: Kernel, p: Values) -> Float[Tensor, "task way example example"]:
    """(K + D_c^-1)^-1 = R_c (I + R_c K R_c)^-1 R_c, of D_c = diag(p_c) and R_c its root."""
    root = p.sqrt().transpose(1, 2)
    inner = plus_identity(root.unsqueeze(3) * kernel.unsqueeze(1) * root.unsqueeze(2), 1.0)
    half = torch.linalg.solve_triangular(cholesky(inner), torch.diag_embed(root), upper=False)
    return half.transpose(2, 3) @ half


def _length(
    kernel: Kernel, dual: Values, step: Values, targets: Values
) -> Float[Tensor, "task 1 1"]:
    """The one of LENGTHS after which the loss of each task is least."""
    lengths = dual.new_tensor(LENGTHS).view(-1, 1, 1, 1)
    values = kernel @ dual + lengths * (kernel @ step)
    losses = (dual + lengths * step) * values / 2 - targets * values.log_softmax(3)
    return lengths[losses.sum((2, 3)).argmin(0)].squeeze(1)
