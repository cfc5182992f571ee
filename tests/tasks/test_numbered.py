from collections.abc import Iterable
from dataclasses import replace

import making
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fewshot_film.base.seeding import TEST, TRAINING, VALIDATION, generator
from fewshot_film.data.image_set import ImageSet
from fewshot_film.tasks import (
    Augmented,
    CrossDomainSampler,
    Mixture,
    NestedLabellingSampler,
    Rendered,
    SameDomainSampler,
    SupervisedBatches,
    UniformQuerySampler,
    WhichAttributeSampler,
    class_or_domain,
    photo_attribute_tasks,
    random_operation_tasks,
)
from fewshot_film.tasks.episode import Episode, Sampler
from fewshot_film.tasks.factors import FACTORS
from fewshot_film.tasks.numbered import numbered
from fewshot_film.tasks.plain import EpisodeSampler
from fewshot_film.tasks.transforms import flip_and_crop

DATA = making.image_set([9, 12, 10, 11, 14], domains=2, size=8)
PLAIN = EpisodeSampler(DATA, 3, 1, 2)


def samplers(data: ImageSet) -> dict[str, Sampler]:
    """One of every kind."""
    plain = EpisodeSampler(data, 3, 1, 2)
    attributes = WhichAttributeSampler(data, 3, 1, 2)
    coloured = replace(data, images=data.images.expand(-1, 3, -1, -1))
    return {
        "plain": plain,
        "uniform-query": UniformQuerySampler(data, 3, 1, 2),
        "same-domain": SameDomainSampler(data, 2, 1, 1),
        "cross-domain": CrossDomainSampler(data, 2, 1, 1),
        "which-attribute": attributes,
        "rendered": Rendered(plain, [0, 6]),
        "augmented": Augmented(plain, flip_and_crop),
        "mixture": Mixture([plain, attributes]),
        "batches": SupervisedBatches(data, 8),
        "photo-attributes": photo_attribute_tasks(coloured, 3, 1, 2, factors=tuple(FACTORS)),
        "random-operations": random_operation_tasks(coloured, 3, 1, 2, nuisance="mixed"),
        "natural-labellings": class_or_domain(data, 2, 1, 1),
        "nested-labellings": NestedLabellingSampler(data, 2, 1, 1, groups_of=data.labels // 2),
    }


EVERY = samplers(DATA)
every_kind = pytest.mark.parametrize("kind", EVERY)


def parts(episode: Episode) -> list[Tensor]:
    sets = (episode.support, episode.query)
    images = [part for s in sets for part in (s.images, s.labels)]
    factors = [s.factors for s in sets if s.factors is not None]
    return [*images, *factors, episode.class_ids, episode.group]


def same(a: Episode, b: Episode) -> bool:
    return a.way == b.way and all(map(torch.equal, parts(a), parts(b)))


def alike(found: Iterable[Episode], expected: Iterable[Episode]) -> bool:
    return all(same(a, b) for a, b in zip(found, expected, strict=True))


@every_kind
def test_the_first_episodes_of_many_are_those_of_few(kind: str) -> None:
    sampler = EVERY[kind]
    many, few = list(numbered(sampler, 7, seed=5)), list(numbered(sampler, 3, seed=5))
    assert len(many) == 7
    assert alike(few, many[:3])
    assert not list(numbered(sampler, 0, seed=5))


@given(seed=st.integers(0, 2**31), stream=st.integers(0, 4), episodes=st.integers(1, 12))
def test_an_episode_is_made_of_seed_stream_and_number(
    seed: int, stream: int, episodes: int
) -> None:
    *_, last = numbered(PLAIN, episodes, seed, stream)
    assert same(last, PLAIN.sample(1, generator(seed, stream, episodes - 1)))


@every_kind
def test_who_else_asks_does_not_matter(kind: str) -> None:
    """Two that take turns, with other draws from the same sampler in between."""
    sampler, expected = EVERY[kind], list(numbered(EVERY[kind], 4))
    one, other = numbered(sampler, 4), numbered(sampler, 9, seed=3)
    for episode in expected:
        next(other)
        sampler.sample(2, making.seeded())
        assert same(next(one), episode)


@every_kind
def test_global_generators_neither_matter_nor_move(kind: str) -> None:
    expected = list(numbered(EVERY[kind], 3))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
        assert alike(numbered(EVERY[kind], 3), expected)
        assert torch.equal(torch.get_rng_state(), before)
        assert np.random.get_state()[1].tolist() == numpy_before  # type: ignore[index]


def test_seed_stream_and_number_each_give_other_episodes() -> None:
    """No two of 3 x 3 x 5 are alike."""
    drawn = [
        episode
        for seed in (0, 1, 2)
        for stream in (TRAINING, VALIDATION, TEST)
        for episode in numbered(PLAIN, 5, seed, stream)
    ]
    assert len(drawn) == 45
    images = torch.cat([making.numbers(torch.cat(sets, 1)) for sets in map(both, drawn)])
    assert len(images.unique(dim=0)) == 45


def both(episode: Episode) -> tuple[Tensor, Tensor]:
    return episode.support.images, episode.query.images


def test_unless_told_they_are_the_test_s_of_seed_zero() -> None:
    assert alike(numbered(PLAIN, 4), numbered(PLAIN, 4, seed=0, stream=TEST))


@every_kind
def test_each_is_one_task_where_the_data_are(kind: str) -> None:
    sampler = EVERY[kind]
    for episode in numbered(sampler, 3):
        assert {len(part) for part in parts(episode)} == {1}
        assert {part.device for part in parts(episode)} == {DATA.device}
        assert episode.way == sampler.way


def test_none_is_drawn_before_it_is_asked_for() -> None:
    asked: list[int] = []

    class Counting:
        way, shot, query, groups = 3, 1, 2, PLAIN.groups

        def sample(self, tasks: int, rng: torch.Generator) -> Episode:
            asked.append(tasks)
            return PLAIN.sample(tasks, rng)

    drawn = numbered(Counting(), 1_000_000)
    assert not asked
    next(drawn)
    next(drawn)
    assert asked == [1, 1]


@pytest.mark.gpu
@every_kind
def test_the_device_draws_the_same_episodes(kind: str) -> None:
    there = list(numbered(samplers(DATA.to("cuda"))[kind], 5))
    assert all(part.is_cuda for episode in there for part in parts(episode))
    for episode, expected in zip(there, numbered(EVERY[kind], 5), strict=True):
        for found, part in zip(parts(episode), parts(expected), strict=True):
            loose = 1e-3 if part.is_floating_point() else 0.0
            torch.testing.assert_close(found.cpu(), part, rtol=0, atol=loose)
