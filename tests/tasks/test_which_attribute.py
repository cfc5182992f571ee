from dataclasses import dataclass, field
from itertools import combinations

import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded
from torch import Tensor

from fewshot_film.data.sets.glyphs.renderings import SEEN
from fewshot_film.errors import UsageError
from fewshot_film.tasks import FACTORS, WhichAttributeSampler, which_attribute
from fewshot_film.tasks.episode import LabeledSet
from fewshot_film.tasks.which_attribute import SIZES, SLANTS, balanced

DATA = making.image_set([6, 2, 9, 4, 5, 7], size=12)


@given(
    seed=st.integers(0, 2**31),
    way=st.integers(2, 5),
    shot=st.integers(1, 3),
    query=st.integers(1, 3),
)
@pytest.mark.slow
def test_every_factor_is_balanced(seed: int, way: int, shot: int, query: int) -> None:
    episode = WhichAttributeSampler(DATA, way, shot, query).sample(2, seeded(seed))
    for part, repeats in ((episode.support, shot), (episode.query, query)):
        assert part.factors is not None
        assert part.factors.shape == (2, way * repeats, 4)
        expected = torch.arange(way).repeat_interleave(repeats).view(1, -1, 1)
        assert (part.factors.sort(1).values == expected).all()


def test_labels_are_the_asked_column() -> None:
    episode = WhichAttributeSampler(DATA, 3, 2, 3).sample(40, seeded())
    assert set(episode.group.tolist()) == set(range(4))
    for part in (episode.support, episode.query):
        assert part.factors is not None
        for t, asked in enumerate(episode.group.tolist()):
            assert torch.equal(part.labels[t], part.factors[t, :, asked])


def test_every_factor_is_asked_equally_often() -> None:
    sampler = WhichAttributeSampler(DATA, 2, 1, 1)
    asked = torch.bincount(sampler.sample(2000, seeded()).group, minlength=4).double()
    assert ((asked - 500) ** 2 / 500).sum() < 16.3
    assert len(sampler.groups) == len(FACTORS)
    assert all(name in group for name, group in zip(FACTORS, sampler.groups, strict=True))


def test_factors_are_independent_of_one_another() -> None:
    """Over many tasks, every pair of factors takes every pair of levels equally often."""
    factors = balanced(3000, 4, 5, 2, seeded())
    for a, b in combinations(range(4), 2):
        pairs = (factors[..., a] * 5 + factors[..., b]).flatten()
        times = torch.bincount(pairs, minlength=25).double()
        assert ((times - 1200) ** 2 / 1200).sum() < 52


def test_images_do_not_tell_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same task asked in four ways: the same images and levels, other labels."""
    sampler = WhichAttributeSampler(DATA, 3, 2, 2)
    episodes = []
    for asked in range(4):
        monkeypatch.setattr(torch, "randint", lambda *_, asked=asked, **__: torch.full((5,), asked))
        episodes.append(sampler.sample(5, seeded()))
    first = episodes[0]
    for asked, episode in enumerate(episodes):
        assert episode.group.tolist() == [asked] * 5
        for part, other in ((episode.support, first.support), (episode.query, first.query)):
            assert part.factors is not None
            assert other.factors is not None
            assert torch.equal(part.images, other.images)
            assert torch.equal(part.factors, other.factors)
    assert not torch.equal(episodes[1].support.labels, first.support.labels)


@dataclass
class Spy:
    """Stands in for the drawing functions, leaves the images alone and notes each look."""

    looks: list[dict[str, Tensor]] = field(default_factory=list)

    def deform(self, images: Tensor, **look: Tensor) -> Tensor:
        self.looks.append(look)
        return images

    def render(self, images: Tensor, rendering: Tensor, rng: torch.Generator) -> Tensor:
        assert rng is not None
        self.looks[-1]["rendering"] = rendering
        return images


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    made = Spy()
    monkeypatch.setattr(which_attribute, "deform", made.deform)
    monkeypatch.setattr(which_attribute, "render", made.render)
    monkeypatch.setattr(which_attribute, "weigh", lambda images, _: images)
    return made


def test_images_show_the_levels_that_their_factors_name(spy: Spy) -> None:
    """Within a task a level is one value, the same in support and query, and levels differ."""
    episode = WhichAttributeSampler(DATA, 4, 2, 3).sample(6, seeded())
    for t in range(6):
        shown: dict[tuple[str, int], set[float]] = {}
        for part, look in zip((episode.support, episode.query), spy.looks, strict=True):
            for name, levels, values in _columns(part, look, t):
                for level, value in zip(levels, values, strict=True):
                    shown.setdefault((name, level), set()).add(value)
        assert all(len(values) == 1 for values in shown.values())
        for name in FACTORS:
            assert len({min(v) for (n, _), v in shown.items() if n == name}) == 4
        characters = [int(min(shown["character", c])) for c in range(4)]
        assert characters == episode.class_ids[t].tolist()


def test_support_and_query_share_no_stored_image(spy: Spy) -> None:
    """In no task; over many tasks, both use every image."""
    episode = WhichAttributeSampler(DATA, 3, 2, 3).sample(400, seeded())
    assert len(spy.looks) == 2
    support, query = (making.numbers(part.images) for part in (episode.support, episode.query))
    for ours, theirs in zip(support.tolist(), query.tolist(), strict=True):
        assert not set(ours) & set(theirs)
    assert set(support.unique().tolist()) == set(query.unique().tolist()) == set(range(len(DATA)))


def test_levels_come_from_their_lists(spy: Spy) -> None:
    WhichAttributeSampler(DATA, 5, 1, 1).sample(8, seeded())
    for look in spy.looks:
        assert set(look["size"].tolist()) == set(torch.tensor(SIZES).tolist())
        assert set(look["slant"].tolist()) == set(torch.tensor(SLANTS).tolist())
        assert set(look["rendering"].tolist()) == set(SEEN)
        assert len(look["rotation"].unique()) == len(look["rotation"]), "free, image by image"


def _columns(
    part: LabeledSet, look: dict[str, Tensor], t: int
) -> list[tuple[str, list[int], list[float]]]:
    """factor, every image's level, and what the image shows."""
    assert part.factors is not None
    count = part.factors.shape[1]
    here = slice(t * count, (t + 1) * count)
    shown = {"character": DATA.labels[making.numbers(part.images[t])].tolist()}
    shown |= {name: look[name][here].tolist() for name in FACTORS[1:]}
    return [(n, part.factors[t, :, i].tolist(), shown[n]) for i, n in enumerate(FACTORS)]


def test_images_are_in_range_and_reproducible() -> None:
    sampler = WhichAttributeSampler(DATA, 3, 2, 2)
    first, again = sampler.sample(4, seeded(1)), sampler.sample(4, seeded(1))
    assert torch.equal(first.query.images, again.query.images)
    assert not torch.equal(sampler.sample(4, seeded(2)).query.images, first.query.images)
    assert 0 <= first.support.images.min() < first.support.images.max() <= 1


def test_tasks_that_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="5 levels of each attribute, `way` is 6"):
        WhichAttributeSampler(DATA, 6, 1, 1)
    with pytest.raises(UsageError, match="`query` is 0"):
        WhichAttributeSampler(DATA, 5, 1, 0)
    with pytest.raises(UsageError, match="5-way tasks need 5 classes, this split has 3"):
        WhichAttributeSampler(making.image_set([4, 4, 4], size=28), 5, 1, 1)
