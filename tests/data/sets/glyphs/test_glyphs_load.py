"""The shipped glyphs: what each split holds, and what no two splits or classes may share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.glyphs import SOURCE, UNSEEN_FAMILIES, store
from fewshot_film.data.sets.glyphs.load import of_split
from fewshot_film.data.sets.glyphs.lookalikes import resemblance
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError


@pytest.fixture(scope="module")
def splits() -> dict[str, ImageSet]:
    return {split: SOURCE.load(Path("ignored"), split) for split in SPLITS}


def characters(data: ImageSet) -> set[str]:
    """The names of a class, with the script said again: "Latin U+0041"."""
    found = set()
    for name in data.names:
        script = ""
        for word in name.split(" / "):
            before, _, code = word.rpartition("U+")
            script = before or script
            found.add(f"{script}U+{code}")
    return found


def scripts(data: ImageSet) -> set[str]:
    return {character.split(" U+")[0] for character in characters(data)}


def families(data: ImageSet) -> set[str]:
    return {data.domain_names[i] for i in data.domains.tolist()}


@pytest.mark.parametrize("split", SPLITS)
def test_images_are_28_pixels_grey_and_hold_bright_ink(
    splits: dict[str, ImageSet], split: str
) -> None:
    images = splits[split].images
    assert images.shape[1:] == (1, 28, 28)
    assert images.dtype == torch.uint8
    flat = images.flatten(1)
    assert flat.amax(dim=1).min() >= 100
    # A margin is left for tasks to deform the glyph; ink never fills the picture.
    assert images[..., :4, :].max() == 0
    assert images[..., 24:].max() == 0


@pytest.mark.parametrize("split", SPLITS)
def test_labels_and_domains_index_their_names(splits: dict[str, ImageSet], split: str) -> None:
    data = splits[split]
    assert set(data.labels.tolist()) == set(range(len(data.names)))
    assert data.domains.max() < len(data.domain_names)
    assert len(set(data.names)) == len(data.names)


@pytest.mark.parametrize("split", SPLITS)
def test_the_source_tells_the_true_counts(splits: dict[str, ImageSet], split: str) -> None:
    assert SOURCE.classes[split] == len(splits[split].names)
    assert SOURCE.images[split] == len(splits[split])


def test_splits_share_no_script_and_no_character(splits: dict[str, ImageSet]) -> None:
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not scripts(splits[a]) & scripts(splits[b])
        assert not characters(splits[a]) & characters(splits[b])


def test_there_are_many_classes_scripts_and_families(splits: dict[str, ImageSet]) -> None:
    assert sum(SOURCE.classes.values()) >= 1500
    assert sum(len(scripts(data)) for data in splits.values()) >= 20
    assert SOURCE.classes["val"] >= 200
    assert len(scripts(splits["val"])) >= 4
    assert all(len(families(data)) >= 5 for data in splits.values())


def test_a_class_has_2_to_12_distinct_images_and_4_where_it_is_tested(
    splits: dict[str, ImageSet],
) -> None:
    for split, data in splits.items():
        count = torch.bincount(data.labels)
        assert count.min() >= (2 if split == "train" else 4)
        assert count.max() <= 12
        pictures = torch.cat([data.labels[:, None], data.images.flatten(1)], dim=1)
        assert len(torch.unique(pictures, dim=0)) == len(data)


def test_training_never_sees_the_unseen_families(splits: dict[str, ImageSet]) -> None:
    assert not families(splits["train"]) & set(UNSEEN_FAMILIES)
    assert set(UNSEEN_FAMILIES) <= families(splits["val"]) | families(splits["test"])


@pytest.mark.parametrize("split", ["val", "test"])
def test_over_100_classes_have_a_seen_and_an_unseen_family(
    splits: dict[str, ImageSet], split: str
) -> None:
    data = splits[split]
    names = np.array(data.domain_names)[data.domains.numpy()]
    unseen = np.isin(names, UNSEEN_FAMILIES)
    labels = data.labels.numpy()
    assert len(np.intersect1d(labels[unseen], labels[~unseen])) > 100


@pytest.mark.slow
def test_no_two_classes_of_any_splits_look_alike() -> None:
    arrays = store.read()
    ratio = resemblance(arrays["images"], arrays["labels"], arrays["families"])
    assert ratio.max() <= 1


def test_the_file_is_small() -> None:
    assert store.FILE.stat().st_size <= 6_000_000


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'dev'.*train, val, test"):
        SOURCE.load(Path(), "dev")


@pytest.mark.parametrize("damage", ["missing", "cut", "no zip", "flipped"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "glyphs.npz"
    whole = store.FILE.read_bytes()
    flipped = whole[:5000] + bytes(b ^ 255 for b in whole[5000:6000]) + whole[6000:]
    content = {"cut": whole[:100_000], "no zip": b"glyphs", "flipped": flipped}
    if damage in content:
        file.write_bytes(content[damage])
    with pytest.raises(UsageError, match=r"glyphs\.npz.*reinstall"):
        of_split(store.read(file), "train")
