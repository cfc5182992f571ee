from pathlib import Path

import pytest
from PIL import Image

from fewshot_film.data.reading.listing import listed
from fewshot_film.data.reading.picture_files import is_picture_name, pictures_in, refuse_unread
from fewshot_film.errors import UsageError


def test_names_of_pictures() -> None:
    assert all(map(is_picture_name, map(Path, ["a.JPG", "b.jpeg", "c.webp", "d.bmp", "e.gif"])))
    assert not any(map(is_picture_name, map(Path, [".a.png", "notes.txt", "Thumbs.db", "a.pdf"])))


def test_pictures_in_a_folder_are_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.txt", ".d.png"):
        (tmp_path / name).touch()
    (tmp_path / "e.png").mkdir()
    assert pictures_in(tmp_path) == (tmp_path / "a.JPG", tmp_path / "b.png")


def test_a_picture_that_is_a_broken_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").symlink_to("/gone.txt")
    assert pictures_in(tmp_path) == ()
    (tmp_path / "a.png").symlink_to("/gone.png")
    with pytest.raises(UsageError, match=r"a\.png is a link to /gone\.png, which cannot be reach"):
        pictures_in(tmp_path)


def test_photos_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.HEIC", "c.txt"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"b\.HEIC is in a format that is not read, \.heic: conve"):
        refuse_unread(listed(tmp_path))
    monkeypatch.setitem(Image.EXTENSION, ".heic", "PNG")  # as a plugin of Pillow would
    refuse_unread(listed(tmp_path))
