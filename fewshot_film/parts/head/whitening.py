"""Whitening by a base set: one constant matrix, before any head."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.base.values import Above, AtMost
from fewshot_film.errors import UsageError
from fewshot_film.parts.head.base import Features, Head, HeadParams, Labels, Logits, Queries
from fewshot_film.parts.head.classes import residuals


@final
class Whitening(nn.Module):
    """z -> rest z + V^T diag(gains - rest) V z, a symmetric matrix that no training moves.

    The rows of V are orthonormal: along each the features are multiplied by its gain, and across
    all of them by `rest`.
    """

    directions: Tensor
    gains: Tensor
    rest: Tensor

    def __init__(
        self,
        directions: Float[Tensor, "direction feature"],
        gains: Float[Tensor, " direction"],
        rest: Float[Tensor, ""],
    ) -> None:
        super().__init__()
        self.register_buffer("directions", directions)
        self.register_buffer("gains", gains)
        self.register_buffer("rest", rest)

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch feature"]:
        directions, gains, rest = (
            value.to(features.dtype) for value in (self.directions, self.gains, self.rest)
        )
        along = features @ directions.T * (gains - rest)
        return rest * features + along @ directions

    def matrix(self) -> Float[Tensor, "feature feature"]:
        """The whole map, to be multiplied into the layer that gives the features."""
        like = self.directions
        found: Tensor = self(torch.eye(like.shape[1], dtype=like.dtype, device=like.device))
        return found


def within_class_whitening(
    features: Float[Tensor, "image feature"],
    labels: Int64[Tensor, " image"],
    *,
    shrinkage: float,
    rank: int | None = None,
) -> Whitening:
    """z -> ((1 - s) W + s w I)^(-1/2) z, of a base set's covariance W within its classes.

    w is the mean variance and s the `shrinkage`. With a `rank`, only so many directions in which
    the classes vary most have gains of their own; the variance of the rest is taken for its mean.
    """
    Above(0).check("shrinkage", shrinkage)
    AtMost(1).check("shrinkage", shrinkage)
    values, vectors = _principal(features.detach().double(), labels)
    size = len(values)
    rank = size if rank is None else rank
    if not 0 <= rank <= size:
        raise UsageError(f"`rank` is {rank}, and there are {size} features; pass 0 to {size}")
    shrunk = (1 - shrinkage) * values + shrinkage * values.mean()
    rest = shrunk[rank:].mean() if rank < size else values.mean()
    made = (vectors[:, :rank].T.contiguous(), shrunk[:rank].rsqrt(), rest.rsqrt())
    return Whitening(*(value.to(features.dtype) for value in made))


def _principal(
    features: Float[Tensor, "image feature"], labels: Int64[Tensor, " image"]
) -> tuple[Float[Tensor, " feature"], Float[Tensor, "feature feature"]]:
    """The variances within the classes along their principal directions, largest first."""
    if not features.isfinite().all():
        worst = int((~features.isfinite().all(1)).nonzero()[0])
        raise UsageError(f"the `features` of image {worst} are not finite; leave it out")
    classes, codes = labels.unique(return_inverse=True)
    apart = residuals(features.unsqueeze(0), codes.unsqueeze(0), len(classes)).squeeze(0)
    if not apart.any():
        raise UsageError(
            f"{len(labels)} images of {len(classes)} classes do not vary within a class; pass "
            "several images of a class"
        )
    values, vectors = torch.linalg.eigh(apart.T @ apart / (len(labels) - len(classes)))
    return values.clamp(min=0).flip(0), vectors.flip(1)


@final
class WhitenedHead(Head):
    """logits of a head whose features, of both sets, go through a constant linear map first."""

    def __init__(self, head: Head, linear: nn.Module) -> None:
        super().__init__()
        self.head, self.linear = head, linear.requires_grad_(False)

    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        return self.head.fit(self.linear(features), labels, way)

    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        logits: Tensor = self.head(self.linear(queries), fitted)
        return logits

    def score_left_out(
        self, features: Features, labels: Labels, way: int
    ) -> Float[Tensor, "task example way"]:
        return self.head.leave_one_out(self.linear(features), labels, way)
