"""Photographs and characters that no other test is about, of the real pictures or made ones."""

import os
from dataclasses import replace
from pathlib import Path

import making
import official
import photographs as coloured
import pytest
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets import cifar, photographs
from fewshot_film.data.sets.domain_folders import OFFICE_CALTECH10, PACS
from fewshot_film.data.sets.omniglot import UPRIGHT
from fewshot_film.data.sets.photographs import (
    PHOTOGRAPHS,
    PHOTOGRAPHS_AND_CHARACTERS,
    side_by_side,
)
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError

REAL = os.environ.get("FEWSHOT_FILM_TEST_DATA")
OBJECTS = {
    *("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"),
    *("backpack", "bike", "calculator", "headphones", "keyboard"),
    *("laptop_computer", "monitor", "mouse", "mug", "projector"),
}
"""The classes of PACS and Office-Caltech10."""
LEARNED = ("train", "val")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real images where they are; else made ones, in their place and by their names."""
    if REAL and Path(REAL, cifar.FOLDER).is_dir():
        return Path(REAL)
    made = tmp_path_factory.mktemp("official")
    official.cifar100(made)
    return made


@pytest.fixture(scope="module")
def parts(root: Path) -> dict[str, ImageSet]:
    return {split: PHOTOGRAPHS.load(root, split) for split in SPLITS}


def test_every_split_has_the_classes_that_it_says(parts: dict[str, ImageSet]) -> None:
    assert {split: len(data.names) for split, data in parts.items()} == dict(PHOTOGRAPHS.classes)
    for data in parts.values():
        assert set(torch.bincount(data.labels).tolist()) in ({3}, {600})
        assert data.images.shape[1:] == (3, 32, 32)
    names = [name for data in parts.values() for name in data.names]
    assert len(set(names)) == len(names), "no class is in two splits"


def test_nothing_that_another_set_tests_is_learned_or_chosen_by(
    root: Path, parts: dict[str, ImageSet]
) -> None:
    tested = {*cifar.CIFAR_FS.load(root, "test").names, *cifar.FC100.load(root, "test").names}
    assert len(tested) > 30
    for split in LEARNED:
        assert not OBJECTS & set(parts[split].names), split
        assert not tested & set(parts[split].names), split


def test_what_is_learned_is_what_both_divisions_learn(
    root: Path, parts: dict[str, ImageSet]
) -> None:
    both = set.intersection(
        *(set(source.load(root, "train").names) for source in (cifar.CIFAR_FS, cifar.FC100))
    )
    held = both - set(parts["train"].names)
    assert set(parts["train"].names) <= both
    assert held <= OBJECTS, "nothing else is left out"
    assert not both & set(parts["val"].names)
    assert parts["test"].names == cifar.CIFAR_FS.load(root, "test").names


def test_classes_that_are_left_out_are_those_of_the_same_name() -> None:
    """PACS and Office-Caltech10 hold no others by a name of CIFAR-100's."""
    assert len(OBJECTS) == PACS.classes["test"] + OFFICE_CALTECH10.classes["test"]
    assert set(photographs.IN_OTHER_SETS) == OBJECTS & set(official.CLASSES)


def test_an_unknown_split_is_named_before_any_download() -> None:
    with pytest.raises(UsageError, match="photographs has no split 'dev'"):
        PHOTOGRAPHS.load(Path("/nowhere"), "dev")


# --- with characters


GREY = making.image_set([5, 4, 6], domains=3, size=12, seed=1)


def test_side_by_side() -> None:
    colour = coloured.numbered([4, 3], size=8, domains=1)
    both = side_by_side(colour, GREY)
    assert both.images.shape == (7 + 15, 3, 8, 8)
    assert both.names == (*colour.names, *GREY.names)
    first, second = (both.of_images(both.domains == d) for d in (0, 1))
    assert torch.equal(first.images, colour.images)
    assert torch.equal(first.labels, colour.labels)
    assert torch.equal(second.labels, GREY.labels + 2)
    assert torch.equal(second.images, GREY.resize(8).images.expand(-1, 3, -1, -1))
    assert len(both.domain_names) == 2


def test_either_kind_of_image_may_be_grey() -> None:
    both = side_by_side(GREY, coloured.numbered([4, 3], size=8))
    assert both.images.shape == (15 + 7, 3, 12, 12)
    assert torch.equal(both.images[:15, 0], GREY.images[:, 0])


def test_both_are_loaded_of_the_split_that_is_asked_for(
    root: Path, parts: dict[str, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[tuple[Path, str]]()

    def load(root: Path, split: str) -> ImageSet:
        asked.append((root, split))
        return GREY

    monkeypatch.setattr(photographs, "UPRIGHT", replace(UPRIGHT, load=load))
    for split in SPLITS:
        data = PHOTOGRAPHS_AND_CHARACTERS.load(root, split)
        assert data.names == (*parts[split].names, *GREY.names)
        assert torch.bincount(data.domains).tolist() == [len(parts[split]), len(GREY)]
    assert asked == [(root, split) for split in SPLITS]


def test_what_is_said_of_both() -> None:
    source = PHOTOGRAPHS_AND_CHARACTERS
    for split in SPLITS:
        parts = (PHOTOGRAPHS, UPRIGHT)
        assert source.classes[split] == sum(part.classes[split] for part in parts)
        assert source.images[split] == sum(part.images[split] for part in parts)
    assert (source.channels, source.size) == (3, 32)
    assert all(part.licence in source.licence for part in (PHOTOGRAPHS, UPRIGHT))


def test_both_must_be_here(tmp_path: Path) -> None:
    assert not PHOTOGRAPHS_AND_CHARACTERS.present(tmp_path)
    (tmp_path / cifar.FOLDER).mkdir()
    assert not PHOTOGRAPHS_AND_CHARACTERS.present(tmp_path)
    for folder in ("images_background", "images_evaluation"):
        (tmp_path / "omniglot" / folder).mkdir(parents=True)
    assert PHOTOGRAPHS_AND_CHARACTERS.present(tmp_path)
