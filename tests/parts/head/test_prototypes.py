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


@pytest.fixture
def queries(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 7, 5, generator=rng)


@pytest.fixture
def prototypes(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 4, 5, generator=rng)


def test_what_is_fitted_are_the_class_means() -> None:
    features = torch.tensor([[[1.0, 0.0], [5.0, 5.0], [3.0, 4.0]]])
    fitted = PrototypeHead().fit(features, torch.tensor([[1, 0, 1]]), 2)
    assert fitted.keys() == {"prototypes"}
    assert torch.equal(fitted["prototypes"], torch.tensor([[[5.0, 5.0], [2.0, 2.0]]]))


def test_the_scale_starts_where_told_and_is_learned(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead(negative_euclidean, scale=7.5)
    logits = head(queries, {"prototypes": prototypes})
    torch.testing.assert_close(logits, 7.5 * negative_euclidean(queries, prototypes))
    logits.sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is not None] == ["log_scale"]
    torch.testing.assert_close(head.log_scale.grad, logits.sum().detach())


def test_a_scale_that_is_not_learned(queries: Tensor, prototypes: Tensor) -> None:
    head = PrototypeHead(cosine, scale=7.5, learned=False)
    assert not head.log_scale.requires_grad
    logits = head(queries, {"prototypes": prototypes})
    torch.testing.assert_close(logits, 7.5 * cosine(queries, prototypes))
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
    expected, fitted = similarity(queries, prototypes), {"prototypes": prototypes}
    torch.testing.assert_close(HEADS.read(name)()(queries, fitted), scale * expected)
    head = HEADS.read(f"{name}:scale=2.5,learned=no")()
    torch.testing.assert_close(head(queries, fitted), 2.5 * expected)
    assert not head.get_parameter("log_scale").requires_grad
    assert HEADS.read(name)().get_parameter("log_scale").requires_grad


@pytest.mark.parametrize("scale", ["0", "-1.0", "nan", "inf"])
def test_a_scale_that_is_none(scale: str) -> None:
    with pytest.raises(UsageError, match=f"scale` is {float(scale)}; it must be above 0"):
        HEADS.read(f"cosine:scale={scale}")


def test_leaving_one_out_by_hand() -> None:
    """0 and 2 against 10 and 14: without 0 its prototype is 2, and that of the others stays 12."""
    features = torch.tensor([[[0.0], [2.0], [10.0], [14.0]]])
    found = PrototypeHead().leave_one_out(features, torch.tensor([[0, 0, 1, 1]]), 2)
    expected = torch.tensor([[[-4.0, -144], [-4, -100], [-81, -16], [-169, -16]]])
    torch.testing.assert_close(found, expected)
