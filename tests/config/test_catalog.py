from dataclasses import replace
from pathlib import Path
from typing import Any

import making
import official
import photographs
import pytest
from running import picture_folder

from fewshot_film.base.seeding import TRAINING, generator
from fewshot_film.config.catalog import (
    ENTRIES,
    Entry,
    default_config,
    entry,
    folder_entry,
    large_classes,
)
from fewshot_film.config.config import Config
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.photographs import side_by_side
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.tasks import AttributeSampler, CrossDomainSampler, Mixture, SameDomainSampler
from fewshot_film.tasks.photo_attributes import FactorLevels
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


ASKING = [name for name in ENTRIES if ENTRIES[name].factors and name not in GLYPHS]
SHARED = [
    name for name in ENTRIES if ENTRIES[name].source.domains and name not in (*BY_DOMAIN, *ASKING)
]


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


# --- tasks that ask for one of several labellings


def images_for(name: str, each: int = 8) -> ImageSet:
    """What the tasks of a data set can be drawn from: small, with as many domains as it has."""
    found = entry(name)
    if name == "character-or-alphabet":
        data = making.image_set([each] * 12, size=12)
        return replace(data, names=tuple(f"alphabet{c % 4}/character{c}" for c in range(12)))
    data = photographs.numbered([each] * 6, size=24, domains=max(1, len(found.source.domains)))
    return side_by_side(data, making.image_set([each] * 7)) if name == "photos" else data


@pytest.mark.parametrize("name", ASKING)
def test_tasks_that_ask(name: str) -> None:
    """In every split for the same, with every labelling that the images admit beside the labels."""
    found, data = entry(name), images_for(name, each=40)
    samplers = [found.training(data, 3, 2, 2)]
    samplers += [found.evaluating(split)(data, 3, 2, 2) for split in SPLITS]
    for sampler in samplers:
        assert sampler.groups == samplers[0].groups
        assert len(sampler.groups) == found.factors
        assert all(group.startswith("which ") for group in sampler.groups)
        episode = sampler.sample(2, generator(0, TRAINING))
        assert episode.query.images.shape == (2, 6, *data.images.shape[1:])
        factors = episode.support.factors
        nested = name == "character-or-alphabet"  # which cannot be crossed
        assert (factors is None) == nested
        if factors is not None:
            assert factors.shape[2] == found.factors
            agrees = (factors == episode.support.labels.unsqueeze(2)).all(1)
            assert agrees.any(1).all(), "the labels are one of them"


def test_tasks_change_their_images_where_they_say_so() -> None:
    """Then readings cannot be kept image by image."""
    rendered = {name for name in ENTRIES if ENTRIES[name].renders}
    assert rendered == {
        *(name for name in GLYPHS if name not in BY_DOMAIN),
        *(name for name in ENTRIES if name.startswith("photo")),
        "office-attributes",
    }
    for name in ASKING:
        data = images_for(name, each=40)
        episode = entry(name).training(data, 3, 2, 2).sample(4, generator(0, TRAINING))
        stored = {tuple(image.flatten().tolist()) for image in data.images}
        drawn = (episode.query.images * 255).round().byte().flatten(0, 1)
        known = [tuple(image.flatten().tolist()) in stored for image in drawn]
        assert all(known) == (name not in rendered), name


def test_levels_in_between_are_no_levels_of_the_training() -> None:
    data = images_for("photo-attributes")
    seen, unseen = (
        entry(name).training(data, 3, 1, 1)
        for name in ("photo-attributes", "photo-attributes-new-levels")
    )
    assert isinstance(seen, AttributeSampler)
    assert isinstance(unseen, AttributeSampler)
    assert seen.names == unseen.names
    for one, other in zip(seen.attributes, unseen.attributes, strict=True):
        assert isinstance(one, FactorLevels)
        assert isinstance(other, FactorLevels)
        assert one.name == other.name
        assert not set(one.levels) & set(other.levels)


def test_what_photos_learns_from() -> None:
    """Six kinds of task, by their shares; those of characters alone and of objects alone."""
    data = images_for("photos")
    sampler = entry("photos").training(data, 3, 1, 1)
    assert isinstance(sampler, Mixture)
    assert sampler.shares.tolist() == pytest.approx([0.25, 0.1, 0.1, 0.1, 0.25, 0.2])
    assert float(sampler.shares.sum()) == pytest.approx(1)
    for kind, part in enumerate(sampler.samplers):
        episode = part.sample(3, generator(0, TRAINING))
        grey = [images[:, :1].expand_as(images).equal(images) for images in episode.query.images]
        assert (episode.support.factors is None) == (kind >= 4)
        if kind == 5:
            assert all(grey)
            assert int(episode.class_ids.max()) < 7
        assert int(episode.class_ids.max()) < (7 if kind == 5 else 6)


# --- defaults


LITE = "efficientnet-lite0"


@pytest.mark.parametrize("dataset", ["glyphs", "omniglot", "cifar-fs", "pacs", "photo-attributes"])
@pytest.mark.parametrize("extractor", [LITE, f"{LITE}:neck=16,sites=none", "timm:resnet34"])
def test_a_network_that_others_trained_brings_its_defaults(dataset: str, extractor: str) -> None:
    config = default_config(dataset, extractor=extractor)
    assert (config.size, config.channels, config.normalization) == (128, 3, "running")
    assert (config.head, config.augmentation) == ("cosine", "none")
    assert config.encoder == "feature-contrast"
    suits = entry(dataset).defaults
    assert (config.way, config.shot, config.pool) == (suits.way, suits.shot, suits.pool)
    assert config.extractor == str(EXTRACTORS.read(extractor))


def test_its_defaults_are_of_a_folder_too() -> None:
    config = default_config(data="pictures", extractor=LITE)
    assert (config.size, config.head, config.augmentation) == (128, "cosine", "none")


def test_what_is_chosen_is_kept() -> None:
    chosen: dict[str, Any] = {"size": 64, "head": "ridge", "augmentation": "flip-crop"}
    config = default_config("cifar-fs", extractor=LITE, **chosen)
    assert {name: getattr(config, name) for name in chosen} == chosen
    plain = default_config("cifar-fs", extractor=LITE, adapter="none")
    assert (plain.size, plain.encoder) == (128, Config.encoder)


def test_what_suits_a_set_of_such_networks_stays_with_another() -> None:
    assert default_config("photos", extractor="timm:resnet34").head == "logistic"


def test_own_networks_keep_the_data_set_s_defaults() -> None:
    assert default_config("cifar-fs", extractor="resnet12").size == 32
    small = default_config("photo-attributes", extractor="conv4")
    assert (small.size, small.channels, small.pool) == (128, 3, 1000)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_data_set_has_a_config(name: str) -> None:
    config = default_config(name)
    assert config.dataset == name
    assert config.channels == (entry(name).source.channels or config.channels)
