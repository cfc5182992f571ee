"""Making the file again gives the same bytes; its parts, where the fonts are not needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewshot_film.data.sets.glyphs import store
from fewshot_film.errors import UsageError

pytest.importorskip("fontTools", reason="reading fonts needs fontTools")

from fewshot_film.data.sets.glyphs.carriers import check_installed
from fewshot_film.data.sets.glyphs.classes import Drawing, choose, is_letter
from fewshot_film.data.sets.glyphs.generate import class_name, generate


def drawing(family: str, rank: int, shade: int, slanted: bool = False) -> Drawing:
    return Drawing(family, rank, slanted, np.full((28, 28), shade, dtype=np.uint8))


def fonts_installed() -> bool:
    try:
        check_installed()
    except UsageError:
        return False
    return True


def test_a_class_is_named_by_its_scripts_and_code_points() -> None:
    assert class_name((0x63, 0x43, 0x441)) == "Latin U+0063 / U+0043 / Cyrillic U+0441"


def test_letters_are_plain_and_of_a_chosen_script() -> None:
    assert is_letter(ord("a"))
    assert is_letter(0x05D0)  # Hebrew alef
    assert not is_letter(ord("é"))  # decomposes into e and an accent
    assert not is_letter(ord("1"))
    assert not is_letter(0x4E00)  # Han is not among the scripts


def test_regular_faces_come_first_and_12_are_kept() -> None:
    faces = [drawing(f"F{i}", rank, 20 * i + rank) for rank in range(2) for i in range(8)]
    kept = choose((65,), {65: faces})
    assert len(kept) == 12
    assert sum(d.rank == 0 for d in kept) == 8
    assert [(d.family, d.rank) for d in kept] == sorted((d.family, d.rank) for d in kept)


def test_equal_images_are_kept_once_and_slanted_ones_fill_up_to_four() -> None:
    faces = [drawing("F", 0, 1), drawing("G", 0, 1), drawing("F", 1, 2)]
    slanted = [drawing("F", rank, 10 + rank, slanted=True) for rank in range(2, 6)]
    kept = choose((65,), {65: faces + slanted})
    assert [(d.family, d.rank) for d in kept] == [("F", 0), ("F", 1), ("F", 2), ("F", 3)]


def test_a_class_takes_each_face_from_its_first_character() -> None:
    drawn = {65: [drawing("F", 0, 1)], 66: [drawing("F", 0, 2), drawing("F", 1, 3)]}
    assert [d.image[0, 0] for d in choose((65, 66), drawn)] == [1, 3]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    arrays = {key: array[:300] for key, array in store.read().items()}
    store.write(tmp_path / "a.npz", arrays)
    store.write(tmp_path / "b.npz", arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert all(np.array_equal(arrays[k], v) for k, v in store.read(tmp_path / "a.npz").items())


@pytest.mark.slow
@pytest.mark.skipif(not fonts_installed(), reason="the font packages are not installed")
def test_generating_again_gives_the_shipped_data_and_card(tmp_path: Path) -> None:
    generate(tmp_path / "glyphs.npz")
    again, shipped = store.read(tmp_path / "glyphs.npz"), store.read()
    assert all(np.array_equal(again[key], shipped[key]) for key in store.KEYS)
    card = store.FILE.with_name("GLYPHS.md")
    assert (tmp_path / "GLYPHS.md").read_text("utf-8") == card.read_text("utf-8")
