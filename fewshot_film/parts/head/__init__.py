"""Heads: fitted on a support set's features, they classify the queries'."""

from fewshot_film.base.family import Family
from fewshot_film.parts.head.base import Head, HeadParams
from fewshot_film.parts.head.classes import class_means
from fewshot_film.parts.head.lda import LDAHead
from fewshot_film.parts.head.logistic import LogisticHead
from fewshot_film.parts.head.mahalanobis import MahalanobisHead
from fewshot_film.parts.head.prototypes import (
    PrototypeHead,
    cosine_head,
    euclidean_head,
    squared_euclidean_head,
)
from fewshot_film.parts.head.ridge import RidgeHead
from fewshot_film.parts.head.similarity import (
    Similarity,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)
from fewshot_film.parts.head.whitening import WhitenedHead, Whitening, within_class_whitening

HEADS: Family[Head] = Family(
    "head",
    (),
    squared_euclidean=squared_euclidean_head,
    euclidean=euclidean_head,
    cosine=cosine_head,
    ridge=RidgeHead,
    logistic=LogisticHead,
    lda=LDAHead,
    mahalanobis=MahalanobisHead,
)

__all__ = [
    "HEADS",
    "Head",
    "HeadParams",
    "LDAHead",
    "LogisticHead",
    "MahalanobisHead",
    "PrototypeHead",
    "RidgeHead",
    "Similarity",
    "WhitenedHead",
    "Whitening",
    "class_means",
    "cosine",
    "cosine_head",
    "euclidean_head",
    "negative_euclidean",
    "negative_squared_euclidean",
    "squared_euclidean_head",
    "within_class_whitening",
]
