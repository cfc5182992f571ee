"""A pool: few sets of images, each made once and asked again and again in other ways."""

import making
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import seeded
from torch import Tensor

from fewshot_film.base.seeding import POOL, generator
from fewshot_film.errors import UsageError
from fewshot_film.tasks import Mixture, NaturalLabellingSampler, Pool, class_or_domain
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.plain import EpisodeSampler
from fewshot_film.tasks.pool import divided, joined

DATA = making.image_set([40, 44, 36, 48, 40], domains=4)
WAY, SHOT, QUERY = 3, 2, 3
PLAIN = EpisodeSampler(DATA, WAY, SHOT, QUERY)
few = settings(max_examples=10)


def asking() -> NaturalLabellingSampler:
    """Its images admit two labellings."""
    return class_or_domain(DATA, WAY, SHOT, QUERY)


class Three:
    """A sampler whose images admit three labellings: all alike, so they are told by their order."""

    way, shot, query = WAY, SHOT, QUERY
    groups = ("three",)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        episode = asking().sample(tasks, rng)
        parts = (episode.support, episode.query)
        sets = [
            LabeledSet(p.images, p.labels, p.labels.unsqueeze(2).expand(-1, -1, 3)) for p in parts
        ]
        group = torch.zeros(tasks, dtype=torch.int64)
        return Episode(sets[0], sets[1], WAY, episode.class_ids, group)


class Counted:
    """A sampler that remembers the states in which it was asked, and for how many tasks."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.asked = sampler, list[tuple[int, int]]()
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query
        self.groups = sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        self.asked.append((tasks, rng.initial_seed()))
        return self.sampler.sample(tasks, rng)


def images_of(episode: Episode) -> list[tuple[set[int], set[int]]]:
    """The numbers of the support images and of the queries, task by task."""
    both = (making.numbers(part.images) for part in (episode.support, episode.query))
    support, query = (numbers.tolist() for numbers in both)
    return [(set(s), set(q)) for s, q in zip(support, query, strict=True)]


def equal(a: Episode, b: Episode) -> bool:
    pairs = [(a.class_ids, b.class_ids), (a.group, b.group)]
    for one, other in ((a.support, b.support), (a.query, b.query)):
        pairs += [(one.images, other.images), (one.labels, other.labels)]
    return all(torch.equal(x, y) for x, y in pairs)


def each(labels: Tensor) -> Tensor:
    """How often each label comes: (task, way)."""
    return torch.stack([(labels == c).sum(1) for c in range(WAY)], dim=1)


def sets(pool: Pool) -> list[set[int]]:
    """The numbers of all images of every set."""
    return [set(making.numbers(joined(pool.made(n)).images)[0].tolist()) for n in range(pool.size)]


# --- what is drawn


@few
@given(seed=st.integers(0, 2**31))
def test_a_batch_is_a_function_of_the_generator(seed: int) -> None:
    pool = Pool(asking(), 4)
    first, rng = pool.sample(3, seeded(seed)), seeded(seed)
    assert equal(Pool(asking(), 4).sample(3, rng), first)
    assert not equal(pool.sample(3, rng), first)


def test_the_shape_and_the_groups_are_the_sampler_s() -> None:
    pool = Pool(asking(), 4)
    assert (pool.way, pool.shot, pool.query) == (WAY, SHOT, QUERY)
    assert pool.groups == asking().groups


@pytest.mark.parametrize("size", [1, 3, 7])
def test_no_more_sets_are_made_than_its_size(size: int) -> None:
    """Those of positions 0 to size - 1, one by one, whatever the seed of the tasks."""
    counted = Counted(asking())
    pool = Pool(counted, size)
    for seed in range(6 * size):
        pool.sample(2, seeded(seed))
    positions = {generator(0, POOL, n).initial_seed() for n in range(size)}
    assert {seed for _, seed in counted.asked} == positions
    assert {tasks for tasks, _ in counted.asked} == {1}
    assert len(counted.asked) == 12 * size


def test_a_larger_pool_holds_the_sets_of_a_smaller_one() -> None:
    small, large = Pool(asking(), 3), Pool(asking(), 9)
    assert all(equal(small.made(n), large.made(n)) for n in range(3))
    assert not equal(small.made(0), small.made(1))


def test_every_set_is_equally_likely() -> None:
    """Chi-square over 5 sets, below the 99.9% point."""
    counted = Counted(PLAIN)
    Pool(counted, 5).sample(250, seeded())
    times = [sum(seed == s for _, s in counted.asked) for seed in {s for _, s in counted.asked}]
    assert sum((t - 50) ** 2 / 50 for t in times) < 18.5


# --- how it is asked


@pytest.mark.parametrize("sampler", [PLAIN, asking()], ids=["plain", "labellings"])
@few
@given(seed=st.integers(0, 2**31))
def test_support_and_queries_are_a_set_divided(sampler: Sampler, seed: int) -> None:
    """No image is in both, and none is left out."""
    pool = Pool(sampler, 3)
    whole = sets(pool)
    for support, query in images_of(pool.sample(4, seeded(seed))):
        assert not support & query
        assert support | query in whole


@few
@given(seed=st.integers(0, 2**31), tasks=st.integers(1, 4))
def test_a_batch_has_one_number_of_shots(seed: int, tasks: int) -> None:
    episode = Pool(asking(), 5).sample(tasks, seeded(seed))
    shots = each(episode.support.labels)
    assert shots.unique().numel() == 1
    assert 1 <= int(shots[0, 0]) <= SHOT + QUERY - 1
    assert (each(episode.query.labels) == SHOT + QUERY - shots).all()


def test_every_number_of_shots_comes_up() -> None:
    pool = Pool(PLAIN, 2)
    found = {int(each(pool.sample(1, seeded(i)).support.labels)[0, 0]) for i in range(60)}
    assert found == set(range(1, SHOT + QUERY))


def columns_asked(pool: Pool, batches: int) -> set[int]:
    """Which of the factors the labels are, in both sets."""
    asked = set()
    for i in range(batches):
        episode = pool.sample(2, seeded(i))
        for t in range(2):
            parts = (episode.support, episode.query)
            agree = [
                {
                    c
                    for c in range(2)
                    if p.factors is not None and p.factors[t, :, c].equal(p.labels[t])
                }
                for p in parts
            ]
            asked |= set.intersection(*agree)
    return asked


@pytest.mark.parametrize(("columns", "expected"), [(None, {0, 1}), ([1], {1}), ([0], {0})])
def test_labels_are_one_of_the_columns(columns: list[int] | None, expected: set[int]) -> None:
    assert columns_asked(Pool(asking(), 4, columns=columns), 30) == expected


def test_columns_are_equally_likely_whatever_a_set_was_made_for() -> None:
    pool, class_asked = Pool(asking(), 3), 0
    for i in range(50):
        episode = pool.sample(4, seeded(i))
        factors = episode.query.factors
        assert factors is not None
        class_asked += int((factors[..., 0] == episode.query.labels).all(1).sum())
    assert abs(class_asked - 100) < 47, "3.3 standard deviations of 200 coins"


def test_labels_still_tell_codes_of_the_images() -> None:
    """Two images of a task have one label where they have one class, or one domain."""
    codes = torch.stack([DATA.labels, DATA.domains], dim=1)
    episode = Pool(asking(), 6).sample(20, seeded())
    for t in range(20):
        whole = joined(making.task(episode, t))
        numbers, labels = making.numbers(whole.images)[0], whole.labels[0]
        alike = labels.unsqueeze(0) == labels.unsqueeze(1)
        by_code = [
            (codes[numbers, c].unsqueeze(0) == codes[numbers, c].unsqueeze(1)).equal(alike)
            for c in range(2)
        ]
        assert any(by_code)


def test_sets_without_further_labellings_keep_their_own() -> None:
    episode = Pool(PLAIN, 4).sample(5, seeded())
    for part in (episode.support, episode.query):
        assert part.factors is None
        classes = DATA.labels[making.numbers(part.images)]
        assert torch.equal(episode.class_ids.gather(1, part.labels), classes)


def test_group_names_what_a_set_was_made_for() -> None:
    pool = Pool(asking(), 6)
    whole, groups = sets(pool), [int(pool.made(n).group) for n in range(6)]
    episode = pool.sample(12, seeded())
    for (support, query), group in zip(images_of(episode), episode.group.tolist(), strict=True):
        assert group == groups[whole.index(support | query)]
    assert len(set(groups)) == 2


@pytest.mark.parametrize("others", [PLAIN, Three()], ids=["none", "three"])
def test_sets_of_unlike_labellings_lose_them_in_one_batch(others: Sampler) -> None:
    """In a batch of one kind they stay, as far as that kind has any."""
    pool = Pool(Mixture([asking(), others]), 6)
    kinds = [int(pool.made(n).group) for n in range(6)]
    assert len({kind >= 2 for kind in kinds}) == 2
    mixed = 0
    for i in range(20):
        episode = pool.sample(3, seeded(i))
        kinds_here = {group >= 2 for group in episode.group.tolist()}
        if len(kinds_here) == 2:
            mixed += 1
            assert episode.support.factors is None
            assert episode.query.factors is None
            assert int(episode.support.labels.max()) == WAY - 1
        elif kinds_here == {False}:
            assert episode.support.factors is not None
            assert episode.support.factors.shape[2] == 2
    assert mixed > 3


# --- a division


@given(
    shots=st.integers(1, 3),
    counts=st.lists(st.integers(4, 6), min_size=2, max_size=4),
    seed=st.integers(0, 99),
)
def test_the_first_shots_of_every_class_are_the_support(
    shots: int, counts: list[int], seed: int
) -> None:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).unsqueeze(0)
    support, query = divided(labels, shots, seeded(seed))
    assert sorted([*support.tolist(), *query.tolist()]) == list(range(sum(counts)))
    times = torch.bincount(labels[0, support], minlength=len(counts))
    assert (times == shots).all()


def test_every_image_is_as_often_in_the_support() -> None:
    """Chi-square over the 6 images of a class, below the 99.9% point."""
    labels, times = torch.tensor([[0] * 6 + [1] * 6]), torch.zeros(12)
    rng = seeded()
    for _ in range(600):
        times[divided(labels, 2, rng)[0]] += 1
    assert float(((times[:6] - 200) ** 2 / 200).sum()) < 20.5


# --- what is refused


@pytest.mark.parametrize("size", [0, -1])
def test_a_pool_of_no_sets(size: int) -> None:
    with pytest.raises(UsageError, match=rf"^`pool` is {size}; it must be at least 1$"):
        Pool(PLAIN, size)
