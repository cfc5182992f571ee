from dataclasses import replace

import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded

from fewshot_film.base.pixels import as_float
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.parts.head import class_means
from fewshot_film.tasks.drawing import draw_among, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet, concatenate
from fewshot_film.tasks.plain import EpisodeSampler

COUNTS = [4, 9, 5, 30, 4, 7]
DATA = making.image_set(COUNTS)


def same(a: Episode, b: Episode) -> bool:
    return all(
        torch.equal(x, y)
        for x, y in [
            (a.support.images, b.support.images),
            (a.support.labels, b.support.labels),
            (a.query.images, b.query.images),
            (a.query.labels, b.query.labels),
            (a.class_ids, b.class_ids),
            (a.group, b.group),
        ]
    )


# --- EpisodeSampler


def test_shapes() -> None:
    episode = EpisodeSampler(DATA, 3, 1, 2).sample(5, seeded())
    assert episode.support.images.shape == (5, 3, 1, 4, 4)
    assert episode.query.images.shape == (5, 6, 1, 4, 4)
    assert episode.class_ids.shape == (5, 3)
    assert episode.way == 3
    assert episode.group.tolist() == [0] * 5


@given(seed=st.integers(0, 2**31), way=st.integers(2, 6), shot=st.integers(1, 3))
def test_every_label_is_the_class_of_its_image(seed: int, way: int, shot: int) -> None:
    episode = EpisodeSampler(DATA, way, shot, 4 - shot).sample(3, seeded(seed))
    for part, each in ((episode.support, shot), (episode.query, 4 - shot)):
        classes = DATA.labels[making.numbers(part.images)]
        assert torch.equal(episode.class_ids.gather(1, part.labels), classes)
        assert (part.labels.sort(1).values == torch.arange(way).repeat_interleave(each)).all()
        original = DATA.images[making.numbers(part.images)].float() / 255
        assert torch.equal(part.images, original)


@given(seed=st.integers(0, 2**31))
def test_classes_are_distinct_and_no_image_serves_twice(seed: int) -> None:
    episode = EpisodeSampler(DATA, 6, 2, 2).sample(3, seeded(seed))
    images = making.numbers(torch.cat([episode.support.images, episode.query.images], 1))
    for t in range(3):
        assert len(set(episode.class_ids[t].tolist())) == 6
        assert len(set(images[t].tolist())) == 6 * 4


def test_it_is_a_function_of_the_generator() -> None:
    sampler = EpisodeSampler(DATA, 3, 1, 2)
    first = sampler.sample(4, seeded(1))
    sampler.sample(4, seeded(7))
    assert same(sampler.sample(4, seeded(1)), first)
    assert not same(sampler.sample(4, seeded(2)), first)
    rng = seeded(1)
    sampler.sample(4, rng)
    assert not same(sampler.sample(4, rng), first)


def test_classes_and_images_are_equally_likely() -> None:
    """Chi-square over 6 classes and over the 30 images of one, both below their 99.9% points."""
    episode = EpisodeSampler(DATA, 2, 1, 1).sample(6000, seeded())
    drawn = torch.bincount(episode.class_ids.flatten(), minlength=6).double()
    assert ((drawn - 2000) ** 2 / 2000).sum() < 20.5
    for part in (episode.support, episode.query):
        images = making.numbers(part.images).flatten()
        of_class = images[DATA.labels[images] == 3]
        times = torch.bincount(of_class, minlength=len(DATA))[DATA.labels == 3].double()
        expected = len(of_class) / 30
        assert ((times - expected) ** 2 / expected).sum() < 58.3


def test_labels_do_not_tell_the_class() -> None:
    """Every class carries every label equally often."""
    episode = EpisodeSampler(DATA, 3, 1, 1).sample(6000, seeded())
    for label in range(3):
        drawn = torch.bincount(episode.class_ids[:, label], minlength=6).double()
        assert ((drawn - 1000) ** 2 / 1000).sum() < 20.5


def test_the_order_of_the_data_is_free() -> None:
    """A class's images need not lie together: the same sampler over sorted data labels right."""
    order = DATA.labels.argsort(stable=True)
    data = replace(
        DATA,
        images=DATA.images[order],
        labels=DATA.labels[order],
        domains=DATA.domains[order],
    )
    sampler = EpisodeSampler(data, 3, 1, 2)
    assert same(sampler.sample(4, seeded()), EpisodeSampler(DATA, 3, 1, 2).sample(4, seeded()))


@pytest.mark.parametrize(
    ("way", "shot", "query", "message"),
    [
        (7, 1, 1, "7-way tasks need 7 classes, this split has 6; pass `way=6` or less"),
        (3, 3, 2, "class 'class0' has 4 images, shot plus query ask for 5"),
        (1, 1, 1, "`way` is 1; it must be at least 2"),
        (3, 0, 1, "`shot` is 0; it must be at least 1"),
        (3, 1, -2, "`query` is -2; it must be at least 1"),
    ],
)
def test_tasks_that_cannot_be_drawn(way: int, shot: int, query: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EpisodeSampler(DATA, way, shot, query)


def test_the_largest_task_is_drawn() -> None:
    episode = EpisodeSampler(DATA, 6, 2, 2).sample(2, seeded())
    assert episode.query.images.shape[1] == 12


@pytest.mark.gpu
def test_the_device_draws_the_same_episodes() -> None:
    episode = EpisodeSampler(DATA.to("cuda"), 3, 1, 2).sample(4, seeded())
    assert episode.support.images.is_cuda
    assert same(episode.to("cpu"), EpisodeSampler(DATA, 3, 1, 2).sample(4, seeded()))


# --- drawing


@given(
    allowed=st.lists(st.booleans(), min_size=1, max_size=8).filter(any), seed=st.integers(0, 999)
)
def test_draw_among_gives_distinct_allowed_candidates(allowed: list[bool], seed: int) -> None:
    count = sum(allowed)
    drawn = draw_among(torch.tensor([allowed]), count, seeded(seed))[0].tolist()
    assert sorted(drawn) == [i for i, ok in enumerate(allowed) if ok]


def test_draw_among_gives_every_choice_equally_often() -> None:
    """All 12 ordered pairs out of 4 allowed candidates, below the 99.9% point."""
    allowed = torch.tensor([True, False, True, True, False, True]).expand(12000, -1)
    pairs = draw_among(allowed, 2, seeded())
    times = torch.bincount(pairs[:, 0] * 6 + pairs[:, 1], minlength=36).double()
    assert (times > 0).sum() == 12
    assert ((times[times > 0] - 1000) ** 2 / 1000).sum() < 31.3


def test_draw_distinct_follows_each_population() -> None:
    population = torch.tensor([[2, 7], [3, 2]])
    drawn = torch.stack([draw_distinct(population, 2, seeded(i)) for i in range(200)])
    assert (drawn[..., 0] != drawn[..., 1]).all()
    assert torch.equal(drawn.amax((0, 3)) + 1, population)
    assert drawn.min() == 0


def test_check_counts_names_the_first_wrong_one() -> None:
    check_counts(way=2, shot=1, query=1)
    with pytest.raises(UsageError, match="`tasks` is 0"):
        check_counts(way=2, tasks=0)


# --- sets


def test_as_float() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8)
    torch.testing.assert_close(as_float(images), torch.tensor([0.0, 0.2, 1.0]))
    assert images.tolist() == [0, 51, 255]


def test_concatenate_and_take_apart() -> None:
    episodes = [making.episode(tasks=2, seed=s) for s in (0, 5)]
    both = concatenate(episodes)
    assert both.class_ids.shape == (4, 3)
    for i in range(4):
        assert same(making.task(both, i), making.task(episodes[i // 2], i % 2))


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, False)])
def test_concatenate_keeps_factors_where_all_have_them(first: bool, second: bool) -> None:
    factors = torch.arange(24).view(2, 6, 2)
    episodes = [
        replace(e, support=replace(e.support, factors=factors if has else None))
        for e, has in ((making.episode(tasks=2), first), (making.episode(tasks=2), second))
    ]
    joined = concatenate(episodes).support.factors
    assert (joined is not None) == (first and second)
    if joined is not None:
        assert torch.equal(joined, torch.cat([factors, factors]))


@pytest.mark.parametrize("part", ["support", "query"])
def test_concatenate_drops_factors_of_unlike_numbers(part: str) -> None:
    """Tasks that admit other labellings have no common ones; those of the other set stay."""
    episodes = []
    for count in (2, 3, 2):
        made = making.episode(tasks=1)
        sets = {
            name: replace(labeled, factors=torch.zeros(1, 6, count if name == part else 2).long())
            for name, labeled in (("support", made.support), ("query", made.query))
        }
        episodes.append(replace(made, support=sets["support"], query=sets["query"]))
    found = concatenate(episodes)
    kept = {"support": found.support.factors, "query": found.query.factors}
    assert kept.pop(part) is None
    (other,) = kept.values()
    assert other is not None
    assert other.shape == (3, 6, 2)
    assert same(making.task(found, 1), episodes[1])


def test_an_episode_moves_as_a_whole() -> None:
    episode = making.episode()
    factors = torch.zeros(3, 6, 2, dtype=torch.int64)
    moved = replace(episode, query=replace(episode.query, factors=factors)).to("meta")
    parts = [moved.support.images, moved.support.labels, moved.query.images, moved.query.labels]
    assert moved.query.factors is not None
    everything = [*parts, moved.query.factors, moved.class_ids, moved.group]
    assert {part.device.type for part in everything} == {"meta"}


def test_a_labeled_set_cannot_be_changed() -> None:
    labeled: LabeledSet = making.labeled(1, 2, 1)
    with pytest.raises(AttributeError):
        labeled.labels = labeled.labels  # type: ignore[misc]


# --- class_means


def test_class_means_against_a_loop() -> None:
    values, labels = (
        torch.randn(2, 7, 3),
        torch.tensor([[0, 2, 2, 1, 2, 0, 2], [1, 1, 1, 1, 0, 2, 1]]),
    )
    means = class_means(values, labels, 3)
    for t in range(2):
        for c in range(3):
            torch.testing.assert_close(means[t, c], values[t, labels[t] == c].mean(0))


def test_a_class_without_examples_has_mean_zero() -> None:
    means = class_means(torch.ones(1, 2, 3), torch.tensor([[0, 2]]), 4)
    assert means[0, :, 0].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("second", [True, False])
def test_concatenate_keeps_unlabeled_images_where_all_have_them(second: bool) -> None:
    episodes = [making.episode(1, seed=seed) for seed in (0, 1)]
    given = [
        replace(e, support=replace(e.support, unlabeled=e.query.images)) if has else e
        for e, has in zip(episodes, (True, second), strict=True)
    ]
    found = concatenate(given).support.unlabeled
    assert (found is not None) == second
    if found is not None:
        assert torch.equal(found, torch.cat([e.query.images for e in episodes]))
