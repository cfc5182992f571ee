import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.encoder import ENCODERS, DiscriminativeEncoder
from fewshot_film.parts.encoder.contrast import EPSILON

NOTHING = nn.Identity()
"""It asks nothing of the extractor."""


def encoder(*, prior: float = 1.0, momentum: float = 0.05) -> DiscriminativeEncoder:
    made = DiscriminativeEncoder(
        size=making.SIZE, width=4, embedding_dim=6, prior=prior, momentum=momentum
    )
    making.lived_in(made)
    return made.eval()


def by_loop(embedded: Tensor, labels: Tensor, way: int, within: Tensor, prior: float) -> Tensor:
    """log B - log W of one task, in float64."""
    embedded, means, squares = embedded.double(), [], torch.zeros(embedded.shape[1]).double()
    for c in range(way):
        members = embedded[labels == c]
        means.append(members.mean(0))
        for member in members:
            squares += (member - means[-1]) ** 2
    grand = sum(means) / way
    between = sum((mean - grand) ** 2 for mean in means) / (way - 1)
    pooled = (squares + prior * within.double()) / (len(labels) - way + prior)
    assert isinstance(between, Tensor)
    return (between + EPSILON).log() - (pooled + EPSILON).log()


@pytest.mark.parametrize("each", [1, 2, 5])
@pytest.mark.parametrize("prior", [0.5, 1.0, 7.0])
def test_separation_against_a_loop(each: int, prior: float) -> None:
    made, labeled = encoder(prior=prior), making.labeled(3, 4, each)
    embedded = torch.randn(3, 4 * each, 6)
    z = made.summarise(embedded, labeled.labels, 4)
    for t in range(3):
        expected = by_loop(embedded[t], labeled.labels[t], 4, made.within, prior)
        torch.testing.assert_close(z[t].double(), expected, rtol=1e-4, atol=1e-5)


def test_unbalanced_classes_against_a_loop() -> None:
    made, embedded = encoder(), torch.randn(1, 7, 6)
    labels = torch.tensor([[1, 0, 1, 1, 2, 1, 0]])
    expected = by_loop(embedded[0], labels[0], 3, made.within, 1.0)
    z = made.summarise(embedded, labels, 3)[0]
    torch.testing.assert_close(z.double(), expected, rtol=1e-4, atol=1e-5)


def test_one_shot_falls_back_on_the_prior() -> None:
    made, embedded = encoder(), torch.randn(2, 3, 6)
    z = made.summarise(embedded, torch.tensor([[2, 0, 1], [0, 1, 2]]), 3)
    expected = (embedded.var(1) + EPSILON).log() - (made.within + EPSILON).log()
    torch.testing.assert_close(z, expected)


def test_the_mean_is_left_out() -> None:
    made, support = encoder(), making.labeled(2, 3, 2)
    embedded = torch.randn(2, 6, 6)
    torch.testing.assert_close(
        made.summarise(embedded + 10, support.labels, 3),
        made.summarise(embedded, support.labels, 3),
        rtol=1e-3,
        atol=1e-4,
    )


def test_a_labelling_that_a_feature_follows_stands_out() -> None:
    """Feature 0 tells the first labelling and feature 1 the second."""
    first, second = torch.arange(9) // 3, torch.arange(9) % 3
    embedded = torch.randn(1, 9, 6, generator=making.seeded())
    embedded[0, :, 0], embedded[0, :, 1] = 10.0 * first, 10.0 * second
    made = encoder()
    for column, labels in enumerate((first, second)):
        z = made.summarise(embedded, labels.unsqueeze(0), 3)
        assert z.argmax() == column


@pytest.mark.parametrize("each", [1, 2])
def test_gradients_are_finite(each: int) -> None:
    made, support = encoder().train(), making.labeled(2, 3, each)
    made(support, 3, NOTHING).sum().backward()
    gradients = [p.grad for p in made.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert gradients[0] is not None
    assert gradients[0].any()


def test_identical_images_give_finite_values_and_gradients() -> None:
    made = encoder()
    embedded = torch.ones(1, 6, 6, requires_grad=True)
    z = made.summarise(embedded, torch.tensor([[0, 0, 1, 1, 2, 2]]), 3)
    z.sum().backward()
    assert z.isfinite().all()
    assert embedded.grad is not None
    assert embedded.grad.isfinite().all()


def test_the_prior_follows_the_batches_of_training() -> None:
    made, support = encoder(momentum=0.25), making.labeled(3, 2, 4)
    embedded, before = torch.randn(3, 8, 6), made.within.clone()
    made.summarise(embedded, support.labels, 2)
    assert torch.equal(made.within, before), "an evaluation leaves it alone"
    made.train().summarise(embedded, support.labels, 2)
    of_class = torch.stack(
        [embedded[t][support.labels[t] == c].var(0) for t in range(3) for c in range(2)]
    )
    torch.testing.assert_close(made.within, 0.75 * before + 0.25 * of_class.mean(0))


def test_one_shot_training_leaves_the_prior_alone() -> None:
    made, support = encoder().train(), making.labeled(2, 3, 1)
    before = made.within.clone()
    made(support, 3, NOTHING)
    assert torch.equal(made.within, before)


def test_the_map_is_four_by_four() -> None:
    made = DiscriminativeEncoder(width=8, embedding_dim=5)
    assert made.network[-1].in_features == 8 * 4 * 4
    assert made.embed(making.pictures(2, 3, size=28), NOTHING).shape == (2, 3, 5)


def test_images_of_another_size() -> None:
    made = DiscriminativeEncoder(channels=3, size=20, width=8)
    made.check_images(making.pictures(2, channels=3, size=20))
    with pytest.raises(UsageError, match="looks at images of 20x20 pixels, these have 21x21; res"):
        made.check_images(making.pictures(2, channels=3, size=21))


def test_options_by_name() -> None:
    text = "discriminative:embedding_dim=5,momentum=0.5,prior=2.0,width=8"
    made = ENCODERS.read(text)(channels=3, size=20, feature_dim=99)
    assert isinstance(made, DiscriminativeEncoder)
    assert (made.embedding_dim, made.prior, made.momentum) == (5, 2.0, 0.5)
    assert made.embed(making.pictures(2, 3, channels=3, size=20), NOTHING).shape == (2, 3, 5)
    assert made.network[0].weight.shape == (8, 3, 3, 3)
    assert made.tells_labellings
    assert not made.steers_statistics
