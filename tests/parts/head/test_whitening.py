import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.head import (
    HEADS,
    RidgeHead,
    WhitenedHead,
    Whitening,
    within_class_whitening,
)

DIM = 6
LABELS = torch.tensor([7, 3, 9]).repeat(100)
"""Numbers of classes, as a data set has them."""


def base(dim: int = DIM) -> Tensor:
    """Correlated within the classes, whose means are far apart."""
    rng = making.seeded()
    mix = torch.randn(dim, dim, generator=rng, dtype=torch.float64)
    drawn = torch.randn(300, dim, generator=rng, dtype=torch.float64) @ mix
    return drawn + 9 * LABELS.unsqueeze(1)


def within(features: Tensor) -> Tensor:
    rows = torch.cat([of - of.mean(0) for of in (features[LABELS.eq(c)] for c in (3, 7, 9))])
    return rows.T @ rows / (len(features) - 3)


@pytest.mark.parametrize("rank", [None, DIM])
def test_a_whitened_base_set_varies_alike_in_every_direction(rank: int | None) -> None:
    layer = within_class_whitening(base(), LABELS, shrinkage=1e-9, rank=rank)
    torch.testing.assert_close(within(layer(base())), torch.eye(DIM).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shrinkage", [0.1, 1.0])
def test_it_is_the_root_of_the_inverse_of_the_shrunk_covariance(shrinkage: float) -> None:
    spread = within(base())
    eye = torch.eye(DIM, dtype=torch.float64)
    shrunk = (1 - shrinkage) * spread + shrinkage * spread.trace() / DIM * eye
    matrix = within_class_whitening(base(), LABELS, shrinkage=shrinkage).matrix()
    torch.testing.assert_close(matrix @ matrix @ shrunk, eye, atol=1e-9, rtol=0)
    torch.testing.assert_close(matrix, matrix.T)


@pytest.mark.parametrize("rank", range(DIM))
def test_a_low_rank_takes_the_rest_for_its_mean(rank: int) -> None:
    spread = within(base())
    values, vectors = torch.linalg.eigh(spread)
    values = values.flip(0)
    values[rank:] = values[rank:].mean()
    expected = vectors.flip(1) * (0.8 * values + 0.2 * values.mean()).rsqrt() @ vectors.flip(1).T
    layer = within_class_whitening(base(), LABELS, shrinkage=0.2, rank=rank)
    assert layer.directions.shape == (rank, DIM)
    torch.testing.assert_close(layer.matrix(), expected)
    torch.testing.assert_close(layer(base()), base() @ expected)


def test_by_hand() -> None:
    """Variances 4 and 1, half of them and half of their mean: 3.25 and 1.75."""
    features = torch.tensor([[-2.0, 0], [2, 0], [9, 8], [9, 10]])
    layer = within_class_whitening(features, torch.tensor([0, 0, 1, 1]), shrinkage=0.5)
    torch.testing.assert_close(layer.matrix(), torch.diag(torch.tensor([3.25, 1.75]).rsqrt()))


def test_it_folds_into_the_layer_before_it() -> None:
    before, whitening = (
        nn.Linear(4, DIM),
        within_class_whitening(base().float(), LABELS, shrinkage=0.1, rank=3),
    )
    folded = nn.Linear(4, DIM)
    with torch.no_grad():
        folded.weight.copy_(whitening.matrix() @ before.weight)
        folded.bias.copy_(whitening.matrix() @ before.bias)
    images = torch.randn(2, 5, 4, generator=making.seeded(1))
    torch.testing.assert_close(whitening(before(images)), folded(images))


@pytest.mark.parametrize("name", HEADS.names)
def test_any_head_stands_behind_it(name: str) -> None:
    """As if it had been given whitened features; and what it learns is learned there."""
    plain, whitening = (
        HEADS.read(name)(),
        within_class_whitening(base().float(), LABELS, shrinkage=0.1),
    )
    head = WhitenedHead(plain, whitening)
    support = torch.randn(2, 6, DIM, generator=making.seeded(2))
    queries = torch.randn(2, 5, DIM, generator=making.seeded(3))
    labels = torch.tensor([[0, 1, 2, 2, 1, 0], [2, 1, 0, 0, 1, 2]])
    expected = plain(whitening(queries), plain.fit(whitening(support), labels, 3))
    torch.testing.assert_close(head(queries, head.fit(support, labels, 3)), expected)
    left = plain.leave_one_out(whitening(support), labels, 3)
    torch.testing.assert_close(head.leave_one_out(support, labels, 3), left)
    assert [n for n, p in head.named_parameters() if p.requires_grad] == ["head.log_scale"]


def test_any_linear_map_stands_before_a_head() -> None:
    """One to fewer features, for one; it is not trained."""
    head = WhitenedHead(RidgeHead(), nn.Linear(DIM, 2))
    support = torch.randn(1, 6, DIM, generator=making.seeded(2))
    fitted = head.fit(support, torch.tensor([[0, 1, 2, 2, 1, 0]]), 3)
    assert head(support, fitted).shape == (1, 6, 3)
    assert not head.linear.get_parameter("weight").requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_of_the_type_of_its_features_and_holds_no_weights(dtype: torch.dtype) -> None:
    layer = within_class_whitening(base().to(dtype).requires_grad_(), LABELS, shrinkage=0.1)
    assert {value.dtype for value in layer.buffers()} == {dtype}
    assert not any(value.requires_grad for value in layer.buffers())
    assert not list(layer.parameters())
    other = torch.float64 if dtype == torch.float32 else torch.float32
    assert layer(base().to(other)).dtype == other, "it computes as precisely as it is asked"
    again = Whitening(*(torch.zeros_like(value) for value in layer.buffers()))
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again(base()), layer(base()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shrinkage": 0.0}, "`shrinkage` is 0.0; it must be above 0"),
        ({"shrinkage": 1.5}, "`shrinkage` is 1.5; it must be at most 1"),
        ({"shrinkage": 0.5, "rank": 7}, "`rank` is 7, and there are 6 features; pass 0 to 6"),
        ({"shrinkage": 0.5, "rank": -1}, "`rank` is -1, and there are 6 features; pass 0 to 6"),
    ],
)
def test_options_that_are_none(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        within_class_whitening(base(), LABELS, **options)  # type: ignore[arg-type]


def test_a_base_set_without_variance_within_its_classes() -> None:
    with pytest.raises(
        UsageError, match=r"^3 images of 3 classes do not vary within a class; pass"
    ):
        within_class_whitening(base()[:3], LABELS[:3], shrinkage=0.5)


def test_features_that_are_not_finite() -> None:
    broken = base()
    broken[17, 2] = torch.inf
    with pytest.raises(
        UsageError, match=r"^the `features` of image 17 are not finite; leave it out"
    ):
        within_class_whitening(broken, LABELS, shrinkage=0.5)
