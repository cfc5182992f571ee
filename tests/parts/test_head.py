import pytest
import torch
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.head import (
    HEADS,
    PrototypeHead,
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


def test_the_scale_starts_where_told_and_is_learned(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead(negative_euclidean, scale=7.5)
    logits = head(queries, prototypes)
    torch.testing.assert_close(logits, 7.5 * negative_euclidean(queries, prototypes))
    logits.sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is not None] == ["log_scale"]
    torch.testing.assert_close(head.log_scale.grad, logits.sum().detach())


def test_a_scale_that_is_not_learned(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead(cosine, scale=7.5, learned=False)
    assert not head.log_scale.requires_grad
    torch.testing.assert_close(head(queries, prototypes), 7.5 * cosine(queries, prototypes))
    assert "log_scale" in head.state_dict(), "a run is read back with the scale that it had"


@pytest.mark.parametrize(
    ("name", "similarity", "scale"),
    [
        ("squared-euclidean", negative_squared_euclidean, 1.0),
        ("euclidean", negative_euclidean, 1.0),
        ("cosine", cosine, 10.0),
    ],
)
def test_heads_by_name(
    name: str, similarity: Similarity, scale: float, queries: Tensor, prototypes: Tensor
) -> None:
    expected = similarity(queries, prototypes)
    torch.testing.assert_close(HEADS.read(name)()(queries, prototypes), scale * expected)
    head = HEADS.read(f"{name}:scale=2.5,learned=no")()
    torch.testing.assert_close(head(queries, prototypes), 2.5 * expected)
    assert not head.log_scale.requires_grad
    assert HEADS.read(name)().log_scale.requires_grad


@pytest.mark.parametrize("scale", ["0", "-1.0", "nan", "inf"])
def test_a_scale_that_is_none(scale: str) -> None:
    with pytest.raises(UsageError, match=f"scale` is {float(scale)}; it must be above 0"):
        HEADS.read(f"cosine:scale={scale}")
