"""How near a query is to a prototype."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.parts.head.base import Logits, Queries

Prototypes: TypeAlias = Float[Tensor, "task way feature"]

Similarity: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(queries, prototypes) -> (task, query, way), larger is closer."""


def negative_squared_euclidean(queries: Queries, prototypes: Prototypes) -> Logits:
    """-|q - p|^2, the choice of Snell et al. 2017."""
    center = prototypes.mean(1, keepdim=True)  # the same distances, with less to cancel
    queries, prototypes = queries - center, prototypes - center
    cross = queries @ prototypes.transpose(1, 2)
    squares = queries.square().sum(2).unsqueeze(2) + prototypes.square().sum(2).unsqueeze(1)
    return 2 * cross - squares


def negative_euclidean(queries: Queries, prototypes: Prototypes) -> Logits:
    """-|q - p|, not squared, as in TADAM's code (Oreshkin et al. 2018)."""
    return -(-negative_squared_euclidean(queries, prototypes)).clamp(min=1e-12).sqrt()


def cosine(queries: Queries, prototypes: Prototypes) -> Logits:
    """<q, p> / (|q| |p|), in [-1, 1]."""
    return F.normalize(queries, dim=2) @ F.normalize(prototypes, dim=2).transpose(1, 2)
