import pytest
import torch
from torch import Tensor

from fewshot_film.parts.head import PrototypeHead, Similarity, cosine, negative_euclidean, negative_squared_euclidean

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
def test_larger_is_closer(similarity: Similarity, prototypes: Tensor) -> None:
    nearby = prototypes + 0.01
    assert torch.equal(similarity(nearby, prototypes).argmax(2), torch.arange(4).expand(3, -1))


@every_similarity
def test_each_query_and_prototype_on_its_own(
    similarity: Similarity, queries: Tensor, prototypes: Tensor
) -> None:
    all_of_them = similarity(queries, prototypes)
    one = similarity(queries[1:2, 4:5], prototypes[1:2, 2:3])
    torch.testing.assert_close(one, all_of_them[1:2, 4:5, 2:3])


@every_similarity
@pytest.mark.parametrize("apart", [0.0, 1e-8, 1e-4])
def test_near_duplicates_are_finite(similarity: Similarity, apart: float) -> None:
    """Rounding may take a squared distance below zero, where a root has no value."""
    prototypes = 30 * torch.rand(1, 64, 16, generator=torch.Generator().manual_seed(1))
    queries = (prototypes + apart).requires_grad_()
    logits = similarity(queries, prototypes)
    logits.sum().backward()
    assert logits.isfinite().all()
    assert queries.grad is not None
    assert queries.grad.isfinite().all()


def test_plain_euclidean_is_never_positive(prototypes: Tensor) -> None:
    assert (negative_euclidean(prototypes, prototypes) <= 0).all()


def test_the_scale_starts_where_told_and_is_learned(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead(negative_euclidean, scale=7.5)
    logits = head(queries, prototypes)
    torch.testing.assert_close(logits, 7.5 * negative_euclidean(queries, prototypes))
    logits.sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is not None] == ["log_scale"]
    torch.testing.assert_close(head.log_scale.grad, logits.sum().detach())


def test_the_head_computes_in_float32(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead()
    expected = head(queries.bfloat16().float(), prototypes.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(queries.bfloat16(), prototypes.bfloat16())
    assert logits.dtype == torch.float32
    assert torch.equal(logits, expected)
