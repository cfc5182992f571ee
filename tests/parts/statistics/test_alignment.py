import making
import pytest
import torch
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.statistics.alignment import correlation_alignment

SHAPES = [(200, 1), (300, 7), (500, 32)]


def features(images: int, dim: int, seed: int) -> Tensor:
    """Correlated features, their means far from zero."""
    rng = making.seeded(seed)
    mix = torch.randn(dim, dim, generator=rng, dtype=torch.float64)
    drawn = torch.randn(images, dim, generator=rng, dtype=torch.float64)
    return drawn @ mix + 5 * torch.randn(dim, generator=rng, dtype=torch.float64)


def covariance(values: Tensor) -> Tensor:
    return torch.atleast_2d(torch.cov(values.T))


@pytest.mark.parametrize(("images", "dim"), SHAPES)
def test_target_features_get_the_sources_mean_and_covariance(images: int, dim: int) -> None:
    source, target = features(images, dim, 0), features(images + 50, dim, 1)
    aligned = correlation_alignment(source, target, ridge=0.0)(target)
    torch.testing.assert_close(aligned.mean(0), source.mean(0))
    torch.testing.assert_close(covariance(aligned), covariance(source), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_a_domain_is_left_alone_beside_itself(ridge: float) -> None:
    values = features(100, 6, 2)
    made = correlation_alignment(values, values, ridge=ridge)(values)
    torch.testing.assert_close(made, values)


def test_the_order_of_images_does_not_matter() -> None:
    source, target = features(60, 5, 3), features(70, 5, 4)
    order = torch.randperm(70, generator=making.seeded())
    made = correlation_alignment(source, target)
    again = correlation_alignment(source.flip(0), target[order])
    torch.testing.assert_close(made.weight, again.weight)
    torch.testing.assert_close(made.bias, again.bias)


def test_no_random_number_is_drawn() -> None:
    values, before = features(9, 3, 9), torch.get_rng_state()
    correlation_alignment(values, values)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_feature_by_hand() -> None:
    """Source 1, 3 (mean 2, variance 2); target 0, 4 (mean 2, variance 8): 4 -> 2 + 2 sqrt(3/9)."""
    made = correlation_alignment(torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [4.0]]))
    torch.testing.assert_close(made(torch.tensor([[4.0]])), torch.tensor([[2 + 2 / 3**0.5]]))


def test_fewer_images_than_features_need_a_ridge() -> None:
    source, target = features(100, 16, 5), features(8, 16, 6)
    assert correlation_alignment(source, target)(target).isfinite().all()
    with pytest.raises(UsageError, match="covariance of 16 features is singular"):
        correlation_alignment(source, target, ridge=0.0)
    few, many = target, source  # only the target's is inverted
    assert correlation_alignment(few, many, ridge=0.0)(many).isfinite().all()


def test_the_layer_is_plain_and_of_the_targets_type() -> None:
    source, target = features(50, 4, 7).float(), features(40, 4, 8).float()
    made = correlation_alignment(source, target)
    assert made.weight.dtype == torch.float32
    assert not any(p.requires_grad for p in made.parameters())
    assert type(made) is torch.nn.Linear


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (torch.ones(1, 3), torch.ones(5, 3), "the source holds 1 images"),
        (torch.ones(5, 3), torch.ones(5, 4), "source has 3 features, the target 4"),
        (torch.ones(5, 3), torch.full((5, 3), torch.nan), "target image 0 are not finite"),
    ],
)
def test_bad_features_are_refused(source: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        correlation_alignment(source, target)


@pytest.mark.parametrize("ridge", [-1.0, float("nan"), float("inf")])
def test_a_ridge_is_finite_and_not_negative(ridge: float) -> None:
    with pytest.raises(UsageError, match="pass 0 or more"):
        correlation_alignment(features(9, 2, 0), features(9, 2, 1), ridge=ridge)
