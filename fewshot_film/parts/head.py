"""Prototype head: logits are scaled similarities to class means (Snell et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.family import Family
from fewshot_film.base.values import Above

Queries: TypeAlias = Float[Tensor, "task query feature"]
Prototypes: TypeAlias = Float[Tensor, "task way feature"]
Logits: TypeAlias = Float[Tensor, "task query way"]

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


def class_means(
    values: Float[Tensor, "task example feature"], labels: Int64[Tensor, "task example"], way: int
) -> Float[Tensor, "task way feature"]:
    """The mean value of every class; a class without examples has mean 0. Never in bfloat16."""
    with torch.autocast(values.device.type, enabled=False):
        member = F.one_hot(labels, way).to(values.dtype)
        counts = member.sum(1).clamp(min=1).unsqueeze(-1)
        return member.transpose(1, 2) @ values / counts


class PrototypeHead(nn.Module):
    """exp(log_scale) * similarity(queries, prototypes), in float32.

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
        self.log_scale = nn.Parameter(torch.tensor(scale).log(), requires_grad=learned)

    def forward(self, queries: Queries, prototypes: Prototypes) -> Logits:
        with torch.autocast(queries.device.type, enabled=False):
            return self.log_scale.exp() * self.similarity(queries.float(), prototypes.float())


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


HEADS: Family[PrototypeHead] = Family(
    "head",
    (),
    squared_euclidean=squared_euclidean_head,
    euclidean=euclidean_head,
    cosine=cosine_head,
)
