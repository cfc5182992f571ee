from pathlib import Path

import pytest
from official import domain_folders

from fewshot_film.data.reading.class_folders import class_files, decoded
from fewshot_film.errors import UsageError

CLASSES = ("dog", "cat", "ant")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return domain_folders(tmp_path, ["photo"], CLASSES, each=3) / "photo"


def test_files_are_in_the_order_of_classes_and_names(folder: Path) -> None:
    (folder / "cat" / "notes.txt").touch()
    files = class_files(folder, CLASSES, "")
    assert tuple(files) == CLASSES
    for name, paths in files.items():
        assert list(paths) == [folder / name / f"{i:02d}.png" for i in range(3)]


def test_decoded_keeps_what_is_what(folder: Path) -> None:
    data = decoded(class_files(folder, CLASSES, ""), "photo", 8)
    assert (data.names, data.domain_names) == (CLASSES, ("photo",))
    assert data.images.shape == (9, 3, 8, 8)
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (data.images[:, 1, 4, 4] // 20).tolist() == data.labels.tolist()
    assert (data.images[:, 2, 4, 4] // 10).tolist() == [0, 1, 2] * 3


def test_a_missing_class_is_named_with_the_layout(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder .*photo/bird: have the data as a/<b> under"):
        class_files(folder, ("cat", "bird"), "a/<b>")


def test_an_empty_class_is_named_with_the_layout(folder: Path) -> None:
    (folder / "bird").mkdir()
    with pytest.raises(
        UsageError, match=r"no picture lies in .*photo/bird: have the data as a/<b>"
    ):
        class_files(folder, ("bird",), "a/<b>")
