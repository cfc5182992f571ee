from collections.abc import Sequence

import making
import photographs
import pytest
import torch
from making import seeded
from photographs import distance
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.tasks import photo_attribute_tasks, photo_attributes, rendering_or_class
from fewshot_film.tasks.asking import Nuisance
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.factors import FACTORS, LEVELS, SEEN, UNSEEN, Factor
from fewshot_film.tasks.photo_attributes import JITTER, FactorLevels

DATA = photographs.numbered([12, 14, 9, 16, 11], size=12)

Seen = dict[str, list[Tensor]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Factors that leave images alone; the levels that each was asked for."""
    noted: Seen = {name: [] for name in FACTORS}

    def noting(name: str) -> Factor:
        def factor(images: Tensor, level: Tensor, key: Tensor) -> Tensor:
            assert len(images) == len(level) == len(key)
            noted[name].append(level)
            return images

        return factor

    monkeypatch.setattr(photo_attributes, "FACTORS", {name: noting(name) for name in FACTORS})
    return noted


def levels_of(shown: Seen, name: str) -> Tensor:
    return torch.cat(shown[name])


@pytest.mark.parametrize("levels", [SEEN, UNSEEN, (1, 2, 7)])
def test_only_the_levels_named_are_ever_shown(shown: Seen, levels: Sequence[int]) -> None:
    """Each as often as any other, and with half a level free to the next."""
    tasks = photo_attribute_tasks(
        DATA, 2, 2, 2, factors=("hue", "size"), levels=dict.fromkeys(FACTORS, levels)
    )
    tasks.sample(500, seeded())
    for name in ("hue", "size"):
        found = levels_of(shown, name)
        nearest = found.round().long()
        assert set(nearest.tolist()) == set(levels)
        assert (found - nearest).abs().max() <= JITTER
        assert (found - nearest).abs().mean() == pytest.approx(JITTER / 2, rel=0.1)
        times = torch.bincount(nearest, minlength=LEVELS)[list(levels)].double() / 4
        assert ((times - times.mean()) ** 2 / times.mean()).sum() < 25
    assert not shown["rotation"], "a factor that is not named stays out"


def test_levels_are_those_of_training_unless_told(shown: Seen) -> None:
    tasks = photo_attribute_tasks(DATA, 3, 1, 1, factors=("blur", "hue"), levels={"hue": UNSEEN})
    tasks.sample(100, seeded())
    assert set(levels_of(shown, "blur").round().long().tolist()) == set(SEEN)
    assert set(levels_of(shown, "hue").round().long().tolist()) == set(UNSEEN)


def test_a_label_is_one_level_in_support_and_query_and_another_is_another(shown: Seen) -> None:
    tasks = photo_attribute_tasks(DATA, 4, 2, 3, factors=("contrast", "rotation"))
    episode = tasks.sample(6, seeded())
    assert tasks.names == ("class", "rotation", "contrast"), "in the order they are applied in"
    both = [part.factors for part in (episode.support, episode.query)]
    assert both[0] is not None
    assert both[1] is not None
    labels = torch.cat([both[0], both[1]], dim=1)
    for column, name in enumerate(tasks.names[1:], start=1):
        levels = levels_of(shown, name).view(6, -1).round()
        for t in range(6):
            named = [set(levels[t][labels[t, :, column] == k].tolist()) for k in range(4)]
            assert all(len(some) == 1 for some in named)
            assert len(set.union(*named)) == 4


def test_mixed_nuisance_shows_any_level(shown: Seen) -> None:
    tasks = photo_attribute_tasks(
        DATA, 2, 3, 3, factors=("hue",), asked=("class",), nuisance="mixed"
    )
    tasks.sample(300, seeded())
    levels = levels_of(shown, "hue").view(300, -1).round().long()
    times = torch.bincount(levels.flatten(), minlength=LEVELS)[list(SEEN)].double()
    assert ((times - 720) ** 2 / 720).sum() < 18.5
    assert sum(len(row.unique()) > 2 for row in levels) > 250, "not the labels' two"


@pytest.mark.parametrize("seed", range(4))
def test_every_factor_at_once(seed: int) -> None:
    tasks = photo_attribute_tasks(DATA, 3, 2, 2, factors=tuple(FACTORS))
    episode = tasks.sample(2, seeded(seed))
    assert len(tasks.groups) == 1 + len(FACTORS)
    for part in (episode.support, episode.query):
        assert part.images.shape == (2, 6, 3, 12, 12)
        assert 0 <= part.images.min() < part.images.max() <= 1
        assert part.factors is not None
        assert part.factors.shape == (2, 6, 1 + len(FACTORS))


def test_pictures_show_their_factor() -> None:
    """One photograph, five hues: those of a label look more alike than those of two."""
    photo = (photographs.taken(1, 24) * 255).byte().expand(40, -1, -1, -1).contiguous()
    data = making.image_set([8] * 5)
    data = type(data)(photo, data.labels, data.names, data.domains, data.domain_names)
    for name in FACTORS:
        tasks = photo_attribute_tasks(data, 5, 4, 2, factors=(name,), asked=(name,))
        support = tasks.sample(1, seeded()).support
        images, labels = support.images[0], support.labels[0]
        a, b = torch.combinations(torch.arange(20)).unbind(1)
        apart, same = distance(images[a], images[b]), labels[a] == labels[b]
        assert apart[same].median() < 0.8 * apart[~same].median(), name


def test_levels_do_not_depend_on_how_large_images_are() -> None:
    """What rng gives goes to the tasks first: a data set in two sizes has the same tasks."""
    small, large = (
        photo_attribute_tasks(DATA.resize(size), 3, 2, 2, factors=("texture", "hue"))
        for size in (8, 16)
    )
    ours, theirs = small.sample(5, seeded()), large.sample(5, seeded())
    assert torch.equal(ours.support.labels, theirs.support.labels)
    assert torch.equal(ours.class_ids, theirs.class_ids)
    assert torch.equal(ours.group, theirs.group)


@pytest.mark.parametrize("nuisance", ["crossed", "mixed"])
def test_rendering_or_class(shown: Seen, nuisance: Nuisance) -> None:
    tasks = rendering_or_class(DATA, 3, 3, 3, nuisance=nuisance)
    assert tasks.groups == ("which class", "which rendering")
    episode = tasks.sample(60, seeded())
    assert set(levels_of(shown, "rendering").round().long().tolist()) == set(range(LEVELS))
    assert (episode.support.factors is None) == (nuisance == "mixed")
    for part in (episode.support, episode.query):
        assert (part.labels.sort(1).values == torch.arange(3).repeat_interleave(3)).all()


def test_some_renderings_only(shown: Seen) -> None:
    rendering_or_class(DATA, 3, 2, 2, renderings=(1, 4, 6)).sample(20, seeded())
    assert set(levels_of(shown, "rendering").round().long().tolist()) == {1, 4, 6}


def same(a: Episode, b: Episode) -> bool:
    return torch.equal(a.support.images, b.support.images) and torch.equal(
        a.query.labels, b.query.labels
    )


def test_the_order_of_names_does_not_matter() -> None:
    one, other = (
        photo_attribute_tasks(DATA, 2, 2, 2, factors=names)
        for names in (("hue", "size"), ("size", "hue"))
    )
    assert same(one.sample(3, seeded()), other.sample(3, seeded()))


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match=r"`factors` names 'colour'; known: rotation, size, .*"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("colour",))
    with pytest.raises(UsageError, match=r"'rotatoin'; .* did you mean 'rotation'\?"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("rotatoin",))
    with pytest.raises(UsageError, match="`levels` names 'shade'"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("hue",), levels={"shade": SEEN})
    with pytest.raises(UsageError, match="hue has the levels 0 to 9, not 10"):
        photo_attribute_tasks(DATA, 2, 1, 1, factors=("hue",), levels={"hue": (0, 10)})
    with pytest.raises(UsageError, match="3-way tasks need 3 levels of hue, `levels` names 2"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("hue",), levels={"hue": (0, 1)})
    with pytest.raises(UsageError, match=r"`levels` of hue are \(0, 1, 1\); name each once"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("hue",), levels={"hue": (0, 1, 1)})
    with pytest.raises(UsageError, match="`asked` names 'size'; known: class, hue"):
        photo_attribute_tasks(DATA, 3, 1, 1, factors=("hue",), asked=("size",))
    assert FactorLevels("hue").levels == SEEN
