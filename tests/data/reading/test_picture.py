from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewshot_film.data.reading.picture import (
    is_grey,
    is_picture_name,
    pictures_in,
    read_picture,
    read_pictures,
)
from fewshot_film.errors import UsageError


def test_the_largest_centred_square_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    pixels[:, 20:60, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = read_picture(tmp_path / "wide.png", 10, 3)
    assert found.shape == (3, 10, 10)
    assert found[0, :, 1:-1].min() == 255
    assert found[0].min() > 200
    assert found[1:].max() == 0


def test_shrinking_averages(tmp_path: Path) -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "checks.png")
    found = read_picture(tmp_path / "checks.png", 8, 1).astype(int)
    assert np.abs(found - 127).max() < 8


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_turns_the_picture_upright(tmp_path: Path, suffix: str) -> None:
    pixels = np.zeros((32, 32), dtype=np.uint8)
    pixels[:16] = 255
    stored = Image.fromarray(pixels).convert("RGB").rotate(90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    stored.save(tmp_path / f"turned.{suffix}", exif=exif)
    found = read_picture(tmp_path / f"turned.{suffix}", 32, 1)[0]
    assert found[2].min() > 200
    assert found[-3].max() < 50


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    if mode == "P":
        Image.new("P", (8, 8), 0).save(tmp_path / "clear.png", transparency=0)
    else:
        image.convert(mode).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png", 8, 3).min() == 255


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.full((8, 8), 0x80FF, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert is_grey(tmp_path / "deep.png")
    assert np.unique(read_picture(tmp_path / "deep.png", 8, 1)).tolist() == [0x80]


@pytest.mark.parametrize(("mode", "grey"), [("L", True), ("1", True), ("RGB", False)])
def test_grey_is_told_from_the_header(tmp_path: Path, mode: str, grey: bool) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    assert is_grey(tmp_path / "a.png") is grey


def test_names_of_pictures() -> None:
    assert all(map(is_picture_name, map(Path, ["a.JPG", "b.jpeg", "c.webp", "d.bmp", "e.gif"])))
    assert not any(map(is_picture_name, map(Path, [".a.png", "notes.txt", "Thumbs.db", "a.pdf"])))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "cut.jpg"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UsageError, match=r"cannot read the image .*cut\.jpg \(.*truncated"):
        read_picture(path, 8, 3)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.png"
    path.write_bytes(content)
    for read in (is_grey, lambda p: read_picture(p, 8, 3)):
        with pytest.raises(UsageError, match=r"cannot read the image .*no\.png"):
            read(path)


@pytest.mark.parametrize("factor", [1.5, 3])
def test_decompression_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / factor))
    with pytest.raises(UsageError, match=r"bomb\.png .*exceeds limit"):
        read_picture(tmp_path / "bomb.png", 8, 1)


def test_pictures_in_a_folder_are_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.txt", ".d.png"):
        (tmp_path / name).touch()
    (tmp_path / "e.png").mkdir()
    assert pictures_in(tmp_path) == (tmp_path / "a.JPG", tmp_path / "b.png")


def test_several_pictures_are_read_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        Image.new("L", (9, 7), 50 * i).save(path)
    images = read_pictures(paths, 5, 3, "greys")
    assert images.shape == (3, 3, 5, 5)
    assert images[:, 0, 0, 0].tolist() == [0, 50, 100]
