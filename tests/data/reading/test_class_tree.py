"""Trees as people have them; how they are divided is tested with the source."""

import os
from pathlib import Path

import pytest
from PIL import Image

from fewshot_film.data.reading.class_tree import class_tree
from fewshot_film.errors import UsageError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for k in range(2):
            Image.new("L", (8, 8)).save(tmp_path / "pets" / name / f"{k}.png")
    return tmp_path / "pets"


def test_classes_and_their_pictures(tree: Path) -> None:
    cat, dog = class_tree(tree)
    assert (cat.name, cat.split, dog.name) == ("cat", None, "dog")
    assert [p.path for p in cat.pictures] == [tree / "cat" / "0.png", tree / "cat" / "1.png"]


def test_what_a_mac_adds_to_archives_is_passed_over(tree: Path) -> None:
    (tree / "__MACOSX" / "cat").mkdir(parents=True)
    (tree / "__MACOSX" / "cat" / "._0.png").touch()
    (tree / "cat" / "__MACOSX").mkdir()
    assert [c.name for c in class_tree(tree)] == ["cat", "dog"]


@pytest.mark.parametrize("link", ["cat/2.png", "bird"])
def test_a_link_to_nothing_is_named(tree: Path, link: str) -> None:
    """Among the pictures, or in place of a class."""
    (tree / link).symlink_to("/annex/gone")
    with pytest.raises(UsageError, match=rf"{link} is a link to /annex/gone, which cannot be"):
        class_tree(tree)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_class_whose_name_is_no_text_is_named(tree: Path) -> None:
    os.rename(tree / "cat", os.fsencode(tree) + b"/caf\xe9")
    with pytest.raises(UsageError, match=r"folder b'caf\\xe9' in .*pets is not UTF-8: rename it"):
        class_tree(tree)


def test_a_folder_beside_pictures_is_named(tree: Path) -> None:
    (tree / "cat" / "more").mkdir()
    with pytest.raises(UsageError, match=r"cat holds pictures and the folder more: put its pict"):
        class_tree(tree)


def test_photos_of_a_phone_are_named(tree: Path) -> None:
    (tree / "cat" / "IMG_1.HEIC").touch()
    with pytest.raises(UsageError, match=r"cat/IMG_1\.HEIC is in a format that is not read"):
        class_tree(tree)


def test_files_without_extension_are_told_from_none(tree: Path) -> None:
    for k in range(2):
        (tree / "dog" / f"{k}.png").rename(tree / "dog" / f"{k}")
    with pytest.raises(UsageError, match=r"dog holds no picture: none of its 2 files, such as 0, "):
        class_tree(tree)
