import pytest
import torch
from torch import Tensor

from fewshot_film.parts.head import (
    Similarity,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)

SIMILARITIES = (negative_squared_euclidean, negative_euclidean, cosine)
every_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)


@pytest.fixture
def queries(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 7, 5, generator=rng)


@pytest.fixture
def prototypes(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 4, 5, generator=rng)


def test_distances_against_cdist(queries: Tensor, prototypes: Tensor) -> None:
    exact = torch.cdist(queries.double(), prototypes.double())
    squared = negative_squared_euclidean(queries, prototypes)
    torch.testing.assert_close(squared.double(), -exact.square(), rtol=1e-5, atol=1e-5)
    plain = negative_euclidean(queries, prototypes)
    torch.testing.assert_close(plain.double(), -exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 10.0, 1000.0])
def test_distances_do_not_depend_on_the_origin(
    queries: Tensor, prototypes: Tensor, offset: float
) -> None:
    """As in the space of a ReLU, where features have a mean of their own."""
    queries, prototypes = queries + offset, prototypes + offset
    exact = torch.cdist(queries.double(), prototypes.double())
    for similarity, expected in (
        (negative_squared_euclidean, -exact.square()),
        (negative_euclidean, -exact),
    ):
        found = similarity(queries, prototypes).double()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_cosine_by_hand() -> None:
    queries, prototypes = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[1.0, 0], [0, -2], [6, 8]]])
    torch.testing.assert_close(cosine(queries, prototypes), torch.tensor([[[0.6, -0.8, 1.0]]]))


@every_similarity
def test_each_query_and_prototype_on_its_own(
    similarity: Similarity, queries: Tensor, prototypes: Tensor
) -> None:
    all_of_them = similarity(queries, prototypes)
    one = similarity(queries[1:2, 4:5], prototypes[1:2, 2:3])
    torch.testing.assert_close(one, all_of_them[1:2, 4:5, 2:3])


def test_plain_euclidean_is_never_positive(prototypes: Tensor) -> None:
    assert (negative_euclidean(prototypes, prototypes) <= 0).all()
