"""Tasks over images with attributes, on attributes that only note what they are asked for."""

from dataclasses import dataclass, field

import making
import photographs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.tasks.asking import Nuisance
from fewshot_film.tasks.attributes import AttributeSampler, Look
from fewshot_film.tasks.episode import Episode, LabeledSet

DATA = photographs.numbered([12, 14, 9, 16, 11], size=4)


@dataclass
class Noted:
    """An attribute that leaves images alone, and notes which level each was to have."""

    name: str
    which: list[Tensor] = field(default_factory=list)
    drawn: list[tuple[int, int, int]] = field(default_factory=list)

    def check(self, way: int) -> None:
        if way > 4:
            raise UsageError(f"{self.name} has 4 levels")

    def draw(self, tasks: int, way: int, free: int, rng: torch.Generator) -> Look:
        self.drawn.append((tasks, way, free))
        torch.rand(3, generator=rng)

        def look(images: Tensor, which: Tensor, key: Tensor) -> Tensor:
            assert len(images) == len(which) == len(key) == len(key.unique())
            self.which.append(which)
            return images

        return look


def sampler(
    way: int = 3,
    shot: int = 2,
    query: int = 3,
    names: str = "ab",
    asked: list[str] | None = None,
    nuisance: Nuisance = "crossed",
) -> tuple[AttributeSampler, list[Noted]]:
    noted = [Noted(name) for name in names]
    return AttributeSampler(DATA, way, shot, query, noted, asked, nuisance), noted


def sets(episode: Episode) -> tuple[LabeledSet, LabeledSet]:
    return episode.support, episode.query


def factors(part: LabeledSet) -> Tensor:
    assert part.factors is not None
    return part.factors


@given(
    seed=st.integers(0, 2**31),
    way=st.integers(2, 4),
    shot=st.integers(1, 4),
    query=st.integers(1, 4),
)
def test_every_factor_is_balanced_in_support_and_in_query(
    seed: int, way: int, shot: int, query: int
) -> None:
    episode = sampler(way, shot, query)[0].sample(2, seeded(seed))
    for part, each in zip(sets(episode), (shot, query), strict=True):
        assert factors(part).shape == (2, way * each, 3)
        expected = torch.arange(way).repeat_interleave(each).view(1, -1, 1)
        assert (factors(part).sort(1).values == expected).all()


def test_labels_are_the_asked_column() -> None:
    episode = sampler()[0].sample(60, seeded())
    assert set(episode.group.tolist()) == {0, 1, 2}
    for part in sets(episode):
        for t, asked in enumerate(episode.group.tolist()):
            assert torch.equal(part.labels[t], factors(part)[t, :, asked])


def test_every_factor_is_asked_equally_often() -> None:
    some = sampler(2, 1, 1)[0]
    assert some.groups == ("which class", "which a", "which b")
    asked = torch.bincount(some.sample(1500, seeded()).group, minlength=3).double()
    assert ((asked - 500) ** 2 / 500).sum() < 13.9


@pytest.mark.parametrize("asked", [["b"], ["b", "class"]])
def test_some_are_asked_and_the_others_vary(asked: list[str]) -> None:
    some = sampler(asked=asked)[0]
    assert some.groups == tuple(f"which {name}" for name in asked)
    assert some.names == ("class", "a", "b")
    episode = some.sample(50, seeded())
    assert set(episode.group.tolist()) == set(range(len(asked)))
    for part in sets(episode):
        assert factors(part).shape[2] == 3
        for t, group in enumerate(episode.group.tolist()):
            column = some.names.index(asked[group])
            assert torch.equal(part.labels[t], factors(part)[t, :, column])


def test_images_do_not_tell_what_is_asked() -> None:
    """The same tasks asked in three ways: the same images and factors, other labels."""
    asked = [sampler(asked=[name])[0].sample(5, seeded()) for name in ("class", "a", "b")]
    for episode in asked[1:]:
        for part, other in zip(sets(episode), sets(asked[0]), strict=True):
            assert torch.equal(part.images, other.images)
            assert torch.equal(factors(part), factors(other))
        assert not torch.equal(episode.support.labels, asked[0].support.labels)


@pytest.mark.parametrize("nuisance", ["crossed", "mixed"])
def test_no_stored_image_is_twice_in_a_task(nuisance: Nuisance) -> None:
    """Over many tasks, every image is in both sets."""
    episode = sampler(nuisance=nuisance)[0].sample(400, seeded())
    support, query = (making.numbers(part.images) for part in sets(episode))
    for numbers in torch.cat([support, query], dim=1).tolist():
        assert len(set(numbers)) == len(numbers)
    assert set(support.unique().tolist()) == set(query.unique().tolist()) == set(range(len(DATA)))


def test_images_are_of_the_class_and_drawn_at_the_level_that_factors_name() -> None:
    some, noted = sampler()
    episode = some.sample(6, seeded())
    both = torch.cat([factors(part) for part in sets(episode)], dim=1)
    numbers = torch.cat([making.numbers(part.images) for part in sets(episode)], dim=1)
    assert torch.equal(DATA.labels[numbers], episode.class_ids.gather(1, both[..., 0]))
    for column, attribute in enumerate(noted, start=1):
        (which,) = attribute.which
        expected = 3 * torch.arange(6).unsqueeze(1) + both[..., column]
        assert torch.equal(which.view(6, -1), expected)
        assert attribute.drawn == [(6, 3, 0)]


def test_mixed_nuisance_is_any_class_and_any_level() -> None:
    some, noted = sampler(nuisance="mixed")
    episode = some.sample(200, seeded())
    assert episode.support.factors is None
    images = 3 * (2 + 3)
    labels = torch.cat([part.labels for part in sets(episode)], dim=1)
    numbers = torch.cat([making.numbers(part.images) for part in sets(episode)], dim=1)
    of_class = episode.group == 0
    shown = DATA.labels[numbers]
    assert torch.equal(shown[of_class], episode.class_ids.gather(1, labels)[of_class])
    others = [len(row.unique()) > 3 for row in shown[~of_class]]
    assert sum(others) > 0.9 * len(others), "more classes than labels"
    free = 200 * 3 + torch.arange(200 * images).view(200, -1)
    for column, attribute in enumerate(noted, start=1):
        assert attribute.drawn == [(200, 3, 200 * images)]
        which, asked = attribute.which[0].view(200, -1), episode.group == column
        own = 3 * torch.arange(200).unsqueeze(1) + labels
        assert torch.equal(which[asked], own[asked])
        assert torch.equal(which[~asked], free[~asked]), "each a level of its own"


@pytest.mark.parametrize("nuisance", ["crossed", "mixed"])
def test_labels_are_balanced_whatever_the_nuisance(nuisance: Nuisance) -> None:
    episode = sampler(4, 2, 3, nuisance=nuisance)[0].sample(30, seeded())
    for part, each in zip(sets(episode), (2, 3), strict=True):
        expected = torch.arange(4).repeat_interleave(each)
        assert (part.labels.sort(1).values == expected).all()


def test_images_are_those_stored() -> None:
    episode = sampler()[0].sample(3, seeded())
    for part in sets(episode):
        stored = DATA.images[making.numbers(part.images)]
        assert torch.equal((part.images * 255).round().byte(), stored)


def test_it_is_a_function_of_the_generator() -> None:
    some = sampler()[0]
    first, again, other = (some.sample(4, seeded(seed)) for seed in (1, 1, 2))
    for part, same, unlike in zip(sets(first), sets(again), sets(other), strict=True):
        assert torch.equal(part.images, same.images)
        assert torch.equal(part.labels, same.labels)
        assert not torch.equal(part.images, unlike.images)


def test_tasks_that_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="`query` is 0; it must be at least 1"):
        sampler(query=0)
    with pytest.raises(UsageError, match="a has 4 levels"):
        sampler(way=5, shot=1, query=1)
    with pytest.raises(UsageError, match=r"'class2' has 9 images, shot plus query ask for 10"):
        sampler(shot=5, query=5)
    with pytest.raises(UsageError, match=r"3 channels, these have 1; .* images\.expand"):
        AttributeSampler(making.image_set([9, 9, 9]), 3, 1, 1, [Noted("a")])
