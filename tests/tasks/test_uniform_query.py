import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded

from fewshot_film.errors import UsageError
from fewshot_film.tasks import UniformQuerySampler
from fewshot_film.tasks.episode import Sampler

COUNTS = [4, 9, 5, 30, 4, 7]
DATA = making.image_set(COUNTS)


def test_shapes() -> None:
    sampler = UniformQuerySampler(DATA, 3, 1, 2)
    episode = sampler.sample(5, seeded())
    assert isinstance(sampler, Sampler)
    assert sampler.groups == ("all",)
    assert episode.support.images.shape == (5, 3, 1, 4, 4)
    assert episode.query.images.shape == (5, 6, 1, 4, 4)
    assert episode.class_ids.shape == (5, 3)
    assert episode.way == 3
    assert episode.group.tolist() == [0] * 5


@given(seed=st.integers(0, 2**31), way=st.integers(2, 6), shot=st.integers(1, 3))
def test_every_label_is_the_class_of_its_image(seed: int, way: int, shot: int) -> None:
    episode = UniformQuerySampler(DATA, way, shot, 4 - shot).sample(3, seeded(seed))
    for part in (episode.support, episode.query):
        index = making.numbers(part.images)
        assert torch.equal(episode.class_ids.gather(1, part.labels), DATA.labels[index])
        assert torch.equal(part.images, DATA.images[index].float() / 255)
    balanced = torch.arange(way).repeat_interleave(shot)
    assert (episode.support.labels.sort(1).values == balanced).all()


@given(seed=st.integers(0, 2**31))
def test_classes_are_distinct_and_no_image_serves_twice(seed: int) -> None:
    episode = UniformQuerySampler(DATA, 6, 2, 2).sample(3, seeded(seed))
    images = making.numbers(torch.cat([episode.support.images, episode.query.images], 1))
    for t in range(3):
        assert len(set(episode.class_ids[t].tolist())) == 6
        assert len(set(images[t].tolist())) == 6 * 4


def test_every_image_is_equally_likely() -> None:
    """Support: 1 of its class; query: 6 of the 15 that are left. Within five deviations."""
    data = making.image_set([4, 9, 5])
    episode = UniformQuerySampler(data, 3, 1, 2).sample(6000, seeded())
    support, query = (
        torch.bincount(making.numbers(part.images).flatten(), minlength=len(data)).double()
        for part in (episode.support, episode.query)
    )
    share = 1 / torch.tensor([4.0, 9.0, 5.0]).double()[data.labels]
    assert ((support - 6000 * share).abs() < 5 * (6000 * share * (1 - share)).sqrt()).all()
    left = 6000 - support
    assert ((query - 0.4 * left).abs() < 5 * (left * 0.4 * 0.6).sqrt()).all()


def test_queries_come_in_every_order() -> None:
    """Two shots leave 1 and 3 images, all drawn: 24 orders alike, below the 99.9% point."""
    data = making.image_set([3, 5])
    episode = UniformQuerySampler(data, 2, 2, 2).sample(6000, seeded())
    assert (episode.query.labels.sort(1).values.sum(1) % 2 == 1).all(), "1 and 3"
    images = making.numbers(episode.query.images)
    ranks = images.argsort(1).argsort(1)
    times = torch.bincount(ranks @ torch.tensor([64, 16, 4, 1])).double()
    times = times[times > 0]
    assert len(times) == 24
    assert ((times - 250) ** 2 / 250).sum() < 49.7


def test_classes_differ_in_their_number_of_queries() -> None:
    """The number of a class's queries is hypergeometric: 0 to 3 of the 4 images left, of 8."""
    data = making.image_set([5, 5])
    labels = UniformQuerySampler(data, 2, 1, 2).sample(7000, seeded()).query.labels
    times = torch.bincount(labels.sum(1), minlength=5).double()
    expected = torch.tensor([1.0, 16.0, 36.0, 16.0, 1.0]).double() * 100
    assert ((times - expected) ** 2 / expected).sum() < 18.5


def test_labels_do_not_tell_the_class() -> None:
    """Every class carries every label equally often, below the 99.9% point."""
    episode = UniformQuerySampler(DATA, 3, 1, 1).sample(6000, seeded())
    for label in range(3):
        drawn = torch.bincount(episode.class_ids[:, label], minlength=6).double()
        assert ((drawn - 1000) ** 2 / 1000).sum() < 20.5


def test_it_is_a_function_of_the_generator() -> None:
    sampler = UniformQuerySampler(DATA, 3, 1, 2)
    first, again = sampler.sample(9, seeded(1)), sampler.sample(9, seeded(1))
    for part, other in ((first.support, again.support), (first.query, again.query)):
        assert torch.equal(part.images, other.images)
        assert torch.equal(part.labels, other.labels)
    assert not torch.equal(sampler.sample(9, seeded(2)).query.images, first.query.images)
    rng = seeded(1)
    sampler.sample(9, rng)
    assert not torch.equal(sampler.sample(9, rng).query.images, first.query.images)


@pytest.mark.parametrize(
    ("way", "shot", "query", "message"),
    [
        (7, 1, 1, "7-way tasks need 7 classes, this split has 6; pass `way=6` or less"),
        (3, 5, 1, "class 'class0' has 4 images, shot asks for 5; pass a smaller `shot`"),
        (3, 1, 4, "the 3 smallest classes, 'class0' to 'class2', have 13 images, 3 times shot"),
        (2, 4, 1, "the 2 smallest classes, 'class0' to 'class4', have 8 images, 2 .* ask for 10"),
        (1, 1, 1, "`way` is 1; it must be at least 2"),
        (3, 0, 1, "`shot` is 0; it must be at least 1"),
        (3, 1, -2, "`query` is -2; it must be at least 1"),
    ],
)
def test_tasks_that_cannot_be_drawn(way: int, shot: int, query: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        UniformQuerySampler(DATA, way, shot, query)


def test_the_largest_task_is_drawn() -> None:
    """A class may hold its support alone: the 15 images of 4 + 5 + 6 are 3 * (4 + 1)."""
    data = making.image_set([4, 5, 6])
    episode = UniformQuerySampler(data, 3, 4, 1).sample(20, seeded())
    for t in range(20):
        used = torch.cat([episode.support.images[t], episode.query.images[t]])
        assert sorted(making.numbers(used).tolist()) == list(range(15))


@pytest.mark.gpu
def test_the_device_draws_the_same_episodes() -> None:
    episode = UniformQuerySampler(DATA.to("cuda"), 3, 1, 2).sample(4, seeded())
    expected = UniformQuerySampler(DATA, 3, 1, 2).sample(4, seeded())
    assert episode.query.images.is_cuda
    assert torch.equal(episode.query.images.cpu(), expected.query.images)
    assert torch.equal(episode.query.labels.cpu(), expected.query.labels)
