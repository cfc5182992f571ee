from pathlib import Path

import making
import official
import pytest
from running import picture_folder

from fewshot_film.base.seeding import TRAINING, generator
from fewshot_film.config.catalog import ENTRIES, Entry, entry, folder_entry, large_classes
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError
from fewshot_film.tasks import CrossDomainSampler, SameDomainSampler
from fewshot_film.tasks.plain import EpisodeSampler


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("glyps", "glyphs"), ("omniglot_lake", "omniglot-lake"), ("cifarfs", "cifar-fs")],
)
def test_an_unknown_name(name: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        entry(name)
    assert all(known in str(caught.value) for known in ENTRIES)
    assert str(caught.value).endswith(f"did you mean {nearest!r}?")


def test_a_name_that_is_near_to_none() -> None:
    with pytest.raises(UsageError, match="known: glyphs, ") as caught:
        entry("xyz")
    assert "did you mean" not in str(caught.value)


GLYPHS = [name for name in ENTRIES if name.startswith("glyphs")]
BY_DOMAIN = ("glyphs-renderings", "glyphs-new-typefaces")


@pytest.mark.parametrize("name", [name for name in GLYPHS if name not in BY_DOMAIN])
def test_glyph_tasks(name: str) -> None:
    """Each split draws tasks; only the test meets renderings that training never saw."""
    found = entry(name)
    images = {split: found.source.load(Path(), split) for split in SPLITS}
    samplers = {split: found.evaluating(split)(images[split], 3, 1, 1) for split in SPLITS}
    samplers["training"] = found.training(images["train"], 3, 1, 1)
    for sampler in samplers.values():
        episode = sampler.sample(2, generator(0, TRAINING))
        assert episode.query.images.shape == (2, 3, 1, 28, 28)
        assert len(sampler.groups) > int(episode.group.max())
    unseen = {split: any("unseen" in g for g in s.groups) for split, s in samplers.items()}
    draws_characters = name != "glyphs-attributes"
    assert unseen == {"train": False, "val": False, "test": draws_characters, "training": False}


def test_tasks_that_ask_for_attributes_carry_them() -> None:
    found = entry("glyphs-attributes")
    sampler = found.training(found.source.load(Path(), "val"), 3, 1, 1)
    factors = sampler.sample(2, generator(0, TRAINING)).support.factors
    assert factors is not None
    assert factors.shape[-1] == found.factors == 4


def test_large_classes() -> None:
    """Small classes are left out, unless too few large ones remain: then one is named."""
    data = making.image_set([5, 2, 5, 5])
    sampler = large_classes(data, 3, 2, 3)
    drawn = sampler.sample(50, generator(0, TRAINING)).class_ids
    assert int(drawn.max()) == 2
    with pytest.raises(UsageError, match=r"class 'class1' has 2 images, shot plus query ask for 5"):
        large_classes(data, 4, 2, 3)
    with pytest.raises(UsageError, match=r"5-way tasks need 5 classes, this split has 4"):
        large_classes(data, 5, 2, 3)


def test_a_split_without_tasks_of_its_own_draws_plain_ones(tmp_path: Path) -> None:
    found = folder_entry(picture_folder(tmp_path / "pictures", classes=3), 20)
    assert isinstance(found, Entry)
    assert found.evaluating("all") is EpisodeSampler
    images = found.source.load(tmp_path, "all")
    a = found.evaluating("all")(images, 2, 1, 1).sample(1, generator(0, TRAINING))
    b = found.training(images, 2, 1, 1).sample(1, generator(0, TRAINING))
    assert a.class_ids.equal(b.class_ids)
    assert a.query.images.equal(b.query.images)


def official_layout(name: str, root: Path) -> Path:
    """A small copy of a data set with several domains."""
    source = entry(name).source
    if name.startswith("digits"):
        return official.digits(root, train=11, test=3)
    classes = {"pacs": "dog elephant giraffe guitar horse house person"}.get(
        source.name,
        "backpack bike calculator headphones keyboard laptop_computer monitor mouse mug projector",
    )
    folder = root / source.name.replace("-", "_")
    return official.domain_folders(folder, source.domains, classes.split()).parent


@pytest.mark.parametrize("name", [pytest.param(BY_DOMAIN[0], marks=pytest.mark.slow), BY_DOMAIN[1]])
def test_glyph_tasks_in_a_domain(name: str) -> None:
    """Domains and classes are new in the test."""
    found = entry(name)
    images = {split: found.source.load(Path(), split) for split in ("train", "test")}
    tested = images["test"].of_domains((found.defaults.test_domains or "").split(","))
    sampler = found.evaluating("test")(tested, 5, 1, 3)
    assert isinstance(sampler, SameDomainSampler)
    assert sampler.sample(2, generator(0, TRAINING)).query.images.shape == (2, 15, 1, 28, 28)
    assert not set(images["train"].names) & set(images["test"].names)


SHARED = [name for name in ENTRIES if ENTRIES[name].source.domains and name not in BY_DOMAIN]


@pytest.mark.parametrize("name", SHARED)
def test_tasks_of_several_domains(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classes of every split are the same; its tasks are in one domain, or across them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    found, root = entry(name), official_layout(name, tmp_path)
    kind = CrossDomainSampler if name.endswith("-across") else SameDomainSampler
    names = set()
    for split in SPLITS:
        images = found.source.load(root, split).resize(32)
        assert images.domain_names == found.source.domains
        for factory in (found.training, found.evaluating(split)):
            sampler = factory(images, 5, 1, 1)
            assert isinstance(sampler, kind)
            episode = sampler.sample(2, generator(0, TRAINING))
            assert episode.query.images.shape == (2, 5, 3, 32, 32)
        names.add(images.names)
    assert len(names) == 1


def test_data_sets_of_several_domains_share_their_classes() -> None:
    assert set(SHARED) == {
        f"{name}{kind}"
        for name in ("digits", "pacs", "office-caltech10")
        for kind in ("", "-across")
    }
    assert all(len(set(ENTRIES[name].source.classes.values())) == 1 for name in SHARED)
