"""CIFAR-FS and FC100 from a small archive of the official layout; the real one if at hand."""

import os
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from official import CLASSES, cifar100, superclass

from fewshot_film.data.reading.download import Archive, file_md5
from fewshot_film.data.sets import cifar
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

REAL = os.environ.get("FEWSHOT_FILM_TEST_DATA")
needs_real = pytest.mark.skipif(
    REAL is None or not Path(REAL, cifar.FOLDER).is_dir(),
    reason="FEWSHOT_FILM_TEST_DATA names no folder with the real CIFAR-100",
)

VAL, TEST = cifar.CIFAR_FS_VAL.split(), cifar.CIFAR_FS_TEST.split()


def source(name: str, folder: Path) -> DataSource:
    """The named source, from an archive that lies in `folder`."""
    path = folder / "served.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(cifar100(folder / "packed"), cifar.FOLDER)
    archive = Archive(cifar.ARCHIVE.name, (path.as_uri(),), file_md5(path))
    original = cifar.CIFAR_FS if name == "cifar-fs" else cifar.FC100
    divide = cifar.cifar_fs_split if name == "cifar-fs" else cifar.fc100_split
    return cifar.source(name, "", original.classes, divide, archive)


@pytest.mark.parametrize("name", ["cifar-fs", "fc100"])
def test_the_archive_is_downloaded_and_divided(tmp_path: Path, name: str) -> None:
    some = source(name, tmp_path)
    parts = {split: some.load(tmp_path / "root", split) for split in SPLITS}
    assert {split: len(data.names) for split, data in parts.items()} == dict(some.classes)
    assert sorted(n for data in parts.values() for n in data.names) == CLASSES
    for data in parts.values():
        assert set(torch.bincount(data.labels).tolist()) == {3}, "train and test pickle"
        shown = [CLASSES[pixel] for pixel in data.images[:, 0, 0, 0].tolist()]
        assert shown == [data.names[label] for label in data.labels.tolist()]


def test_pixels_are_channel_row_column(tmp_path: Path) -> None:
    image = source("fc100", tmp_path).load(tmp_path / "root", "train").images[0]
    assert torch.equal(image[1, :, 5], torch.arange(32, dtype=torch.uint8))
    assert torch.equal(image[2, 5], torch.arange(32, dtype=torch.uint8))


def test_cifar_fs_is_divided_by_name(tmp_path: Path) -> None:
    data = source("cifar-fs", tmp_path).load(tmp_path / "root", "test")
    assert list(data.names) == sorted(TEST)
    assert (len(VAL), len(TEST), len({*VAL, *TEST})) == (16, 20, 36)


def test_fc100_is_divided_by_superclass(tmp_path: Path) -> None:
    data = source("fc100", tmp_path).load(tmp_path / "root", "val")
    assert {superclass(CLASSES.index(name)) for name in data.names} == {8, 11, 13, 16}
    numbers = [n for part in cifar.FC100_SUPERCLASSES.values() for n in part]
    assert sorted(numbers) == list(range(20))


def test_superclasses_are_of_the_images(tmp_path: Path) -> None:
    data = source("cifar-fs", tmp_path).load(tmp_path / "root", "val")
    found = cifar.superclasses(tmp_path / "root", data)
    expected = [superclass(CLASSES.index(data.names[label])) for label in data.labels.tolist()]
    assert found.tolist() == expected


def test_a_tree_pickled_with_text_keys_is_read(tmp_path: Path) -> None:
    data = cifar.read_all(cifar100(tmp_path, str))
    assert list(data.names) == CLASSES
    assert data.images.shape == (300, 3, 32, 32)


def test_other_files_are_named(tmp_path: Path) -> None:
    folder = cifar100(tmp_path)
    (folder / "train").write_bytes(pickle.dumps({b"data": 0, b"labels": []}))
    with pytest.raises(UsageError, match=r"train is not of CIFAR-100, it lacks coarse_labels, fi"):
        cifar.CIFAR_FS.load(tmp_path, "val")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (cifar100(tmp_path) / "meta").unlink()
    with pytest.raises(UsageError, match=r"cannot read the pickle .*meta"):
        cifar.CIFAR_FS.load(tmp_path, "val")


def test_an_unknown_split_is_named_before_any_download() -> None:
    with pytest.raises(UsageError, match="fc100 has no split 'dev'"):
        cifar.FC100.load(Path("/nowhere"), "dev")


@needs_real
@pytest.mark.parametrize("some", [cifar.CIFAR_FS, cifar.FC100])
def test_the_real_cifar_100(some: DataSource) -> None:
    assert REAL is not None
    for split in SPLITS:
        data = some.load(Path(REAL), split)
        assert len(data.names) == some.classes[split]
        assert len(data) == some.images[split]
        assert set(torch.bincount(data.labels).tolist()) == {600}
        assert data.images.float().mean((0, 2, 3)).sub(120).abs().max() < 20


@needs_real
def test_the_real_superclasses_are_those_of_fc100() -> None:
    assert REAL is not None
    data = cifar.FC100.load(Path(REAL), "test")
    assert {"baby", "woman", "bee", "whale", "fox"} <= set(data.names), "people, insects, mammals"
    assert set(cifar.superclasses(Path(REAL), data).tolist()) == {0, 7, 12, 14}
