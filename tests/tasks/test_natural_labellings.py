from collections.abc import Mapping

import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks import NaturalLabellingSampler, class_or_domain
from fewshot_film.tasks.asking import Nuisance
from fewshot_film.tasks.episode import Episode

DATA = making.image_set([40, 44, 36, 48, 40], domains=4)


def tasks_of(
    data: ImageSet = DATA,
    way: int = 3,
    shot: int = 2,
    query: int = 3,
    nuisance: Nuisance = "crossed",
    codes: Mapping[str, Tensor] | None = None,
) -> NaturalLabellingSampler:
    if codes is None:
        return class_or_domain(data, way, shot, query, nuisance=nuisance)
    return NaturalLabellingSampler(data, way, shot, query, labellings=codes, nuisance=nuisance)


def numbers(episode: Episode) -> tuple[Tensor, Tensor]:
    return making.numbers(episode.support.images), making.numbers(episode.query.images)


@given(
    seed=st.integers(0, 2**31),
    way=st.integers(2, 4),
    shot=st.integers(1, 5),
    query=st.integers(1, 5),
)
def test_both_labellings_are_balanced_in_support_and_in_query(
    seed: int, way: int, shot: int, query: int
) -> None:
    episode = tasks_of(way=way, shot=shot, query=query).sample(3, seeded(seed))
    for part, each in ((episode.support, shot), (episode.query, query)):
        assert part.factors is not None
        expected = torch.arange(way).repeat_interleave(each).view(1, -1, 1)
        assert (part.factors.sort(1).values == expected).all()
        for row in part.factors[..., 0] * way + part.factors[..., 1]:
            times = torch.bincount(row, minlength=way**2)
            assert times.max() - times.min() <= 1, "as equally as can be"


def test_labels_are_the_codes_of_what_is_asked() -> None:
    episode = tasks_of().sample(60, seeded())
    codes = torch.stack([DATA.labels, DATA.domains], dim=1)
    assert set(episode.group.tolist()) == {0, 1}
    for part, index in zip((episode.support, episode.query), numbers(episode), strict=True):
        for t, asked in enumerate(episode.group.tolist()):
            assert torch.equal(episode.class_ids[t][part.labels[t]], codes[index[t], asked])
            assert part.factors is not None
            assert torch.equal(part.labels[t], part.factors[t, :, asked])
            other = codes[index[t], 1 - asked]
            assert len(other.unique()) == 3, "the nuisance has as many codes"


def test_mixed_nuisance_is_whatever_the_images_have() -> None:
    episode = tasks_of(nuisance="mixed", shot=4, query=4).sample(80, seeded())
    codes = torch.stack([DATA.labels, DATA.domains], dim=1)
    assert episode.support.factors is None
    several = 0
    for part, index in zip((episode.support, episode.query), numbers(episode), strict=True):
        assert (part.labels.sort(1).values == torch.arange(3).repeat_interleave(4)).all()
        for t, asked in enumerate(episode.group.tolist()):
            assert torch.equal(episode.class_ids[t][part.labels[t]], codes[index[t], asked])
            several += len(codes[index[t], 1 - asked].unique()) > 3
    assert several > 80, "in most sets, more than there are labels"


@pytest.mark.parametrize("nuisance", ["crossed", "mixed"])
def test_no_image_is_twice_in_a_task(nuisance: Nuisance) -> None:
    """Over many tasks, every image is in both sets."""
    support, query = numbers(tasks_of(nuisance=nuisance).sample(800, seeded()))
    for row in torch.cat([support, query], dim=1).tolist():
        assert len(set(row)) == len(row)
    assert len(support.unique()) == len(query.unique()) == len(DATA)


def test_either_is_asked_equally_often_and_codes_are_as_likely() -> None:
    sampler = tasks_of()
    assert sampler.groups == ("which class", "which domain")
    episode = sampler.sample(1200, seeded())
    times = torch.bincount(episode.group, minlength=2).double()
    assert ((times - 600) ** 2 / 600).sum() < 10.9
    for asked, codes in ((0, 5), (1, 4)):
        chosen = episode.class_ids[episode.group == asked].flatten()
        drawn = torch.bincount(chosen, minlength=codes).double()
        assert ((drawn - drawn.mean()) ** 2 / drawn.mean()).sum() < 18.5


def test_images_do_not_tell_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tasks asked in both ways have the same images."""
    whole = torch.randint
    episodes = []
    for asked in (0, 1):

        def fixed(high: int, size: tuple[int, ...], asked: int = asked, **more: object) -> Tensor:
            drawn = whole(high, size, **more)  # type: ignore[call-overload]
            return torch.full_like(drawn, asked) if len(size) == 1 else drawn

        monkeypatch.setattr(torch, "randint", fixed)
        episodes.append(tasks_of().sample(6, seeded()))
    for first, second in zip(numbers(episodes[0]), numbers(episodes[1]), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(episodes[0].support.labels, episodes[1].support.labels)


def test_one_image_a_pair_is_enough_while_shot_and_query_are_no_more_than_way() -> None:
    """As of characters and those who draw them, in two scripts that share no person."""
    character, drawer = torch.arange(60) // 5, torch.arange(60) % 5 + 5 * (torch.arange(60) // 30)
    data = making.image_set([5] * 12)
    codes = {"character": character, "drawer": drawer}
    sampler = tasks_of(data, way=5, shot=3, query=2, codes=codes)
    support, query = numbers(sampler.sample(100, seeded()))
    scripts = torch.cat([support, query], dim=1) // 30
    assert (scripts == scripts[:, :1]).all()
    assert len(scripts[:, 0].unique()) == 2
    with pytest.raises(UsageError, match=r"5 codes of character and 5 of drawer have 2 images in"):
        tasks_of(data, way=5, shot=3, query=3, codes=codes)


def test_pairs_and_codes_of_too_few_images_take_no_part() -> None:
    few = torch.ones(len(DATA), dtype=torch.bool)
    few[((DATA.labels == 2) & (DATA.domains == 1)).nonzero().squeeze(1)[1:]] = False
    few[(DATA.domains == 3).nonzero().squeeze(1)[4:]] = False
    data = DATA.of_images(few)
    episode = tasks_of(data, way=3, shot=2, query=3).sample(300, seeded())
    kept = few.nonzero().squeeze(1)
    place = torch.full((len(DATA),), -1)
    place[kept] = torch.arange(len(kept))
    index = torch.cat([place[part] for part in numbers(episode)], dim=1)
    assert not ((data.labels[index] == 2) & (data.domains[index] == 1)).any()
    mixed = tasks_of(data, way=3, shot=2, query=3, nuisance="mixed").sample(300, seeded())
    assert 3 not in mixed.class_ids[mixed.group == 1]


def test_it_is_a_function_of_the_generator() -> None:
    sampler = tasks_of()
    first, again, other = (numbers(sampler.sample(4, seeded(seed))) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_what_cannot_be_drawn() -> None:
    nested = {"class": DATA.labels, "superclass": DATA.labels // 2}
    with pytest.raises(UsageError, match=r"no 2 codes of class and 2 .* or `nuisance='mixed'`"):
        tasks_of(way=2, codes=nested)
    tasks_of(way=2, codes=nested, nuisance="mixed").sample(2, seeded())
    with pytest.raises(UsageError, match=r"5 codes of domain with 5 images, .*, 4 have"):
        tasks_of(way=5, nuisance="mixed")
    with pytest.raises(UsageError, match=r"`labellings` holds 1 \(class\); pass two"):
        tasks_of(codes={"class": DATA.labels})
    with pytest.raises(UsageError, match="`shot` is 0"):
        tasks_of(shot=0)
