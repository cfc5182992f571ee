import making
import pytest
import torch
from making import seeded

from fewshot_film.errors import UsageError
from fewshot_film.tasks import Mixture
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.plain import EpisodeSampler

PLAIN = EpisodeSampler(making.image_set([6] * 5), 3, 1, 2)


class Kinds:
    """A sampler of several groups, task t of group t."""

    way, shot, query = 3, 1, 2

    def __init__(self, *groups: str) -> None:
        self.groups = groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        assert rng is not None
        drawn = making.episode(tasks, 3, 1, 2)
        group = torch.arange(tasks) % len(self.groups)
        return Episode(drawn.support, drawn.query, 3, drawn.class_ids, group)


def test_groups_follow_one_another() -> None:
    mixture = Mixture([Kinds("a", "b"), PLAIN, Kinds("c")])
    assert mixture.groups == ("a", "b", "all", "c")
    assert (mixture.way, mixture.shot, mixture.query) == (3, 1, 2)
    seen = {tuple(mixture.sample(4, seeded(i)).group.tolist()) for i in range(40)}
    assert seen == {(0, 1, 0, 1), (2, 2, 2, 2), (3, 3, 3, 3)}


def test_each_sampler_is_equally_likely() -> None:
    mixture, rng = Mixture([Kinds("a"), Kinds("b"), Kinds("c")]), seeded()
    drawn = [int(mixture.sample(1, rng).group) for _ in range(1500)]
    times = torch.bincount(torch.tensor(drawn), minlength=3).double()
    assert ((times - 500) ** 2 / 500).sum() < 13.9


def test_the_episode_is_the_samplers_own() -> None:
    rng = seeded(4)
    episode = Mixture([PLAIN]).sample(3, seeded(4))
    torch.randint(1, (), generator=rng)
    expected = PLAIN.sample(3, rng)
    assert torch.equal(episode.support.images, expected.support.images)
    assert torch.equal(episode.query.labels, expected.query.labels)


# --- shares


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (5.0, 3.0, 2.0)])
def test_samplers_come_by_their_shares(shares: tuple[float, ...]) -> None:
    """Chi-square over three samplers, below the 99.9% point; shares need not make one."""
    mixture, rng = Mixture([Kinds("a"), Kinds("b"), Kinds("c")], shares), seeded()
    drawn = [int(mixture.sample(1, rng).group) for _ in range(600)]
    times = torch.bincount(torch.tensor(drawn), minlength=3).double()
    expected = 600 * torch.tensor(shares).double() / sum(shares)
    assert ((times - expected) ** 2 / expected).sum() < 13.9


def test_a_share_of_nothing_is_never_drawn() -> None:
    mixture = Mixture([Kinds("a"), Kinds("b"), Kinds("c")], (0.5, 0.0, 0.5))
    groups = {int(mixture.sample(1, seeded(i)).group) for i in range(60)}
    assert groups == {0, 2}
    assert mixture.groups == ("a", "b", "c")


def test_shares_draw_by_the_generator_alone() -> None:
    mixture = Mixture([Kinds("a"), PLAIN], (0.4, 0.6))
    drawn = [mixture.sample(2, seeded(i)) for i in range(8)]
    torch.manual_seed(5)
    again = [mixture.sample(2, seeded(i)) for i in range(8)]
    for a, b in zip(drawn, again, strict=True):
        assert torch.equal(a.group, b.group)
        assert torch.equal(a.query.images, b.query.images)


@pytest.mark.parametrize("shares", [(1.0,), (1.0, 2.0, 3.0), (1.0, -0.5), (0.0, 0.0)])
def test_shares_that_cannot_be(shares: tuple[float, ...]) -> None:
    with pytest.raises(UsageError) as error:
        Mixture([PLAIN, PLAIN], shares)
    assert str(error.value) == (
        f"`shares` are {shares}; pass one of 0 or more for each of the 2 samplers, not all of "
        "them 0"
    )
