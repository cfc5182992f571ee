import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin, features

from fewshot_film.data.reading.picture import read_picture, read_pictures
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


def odd_exif() -> bytes:
    """To be turned by 90 degrees, and its unit of resolution a fraction where a number belongs."""
    entries = ((0x112, 3, struct.pack("<HH", 6, 0)), (0x128, 5, struct.pack("<I", 8)))
    tags = b"".join(struct.pack("<HHI4s", tag, kind, 1, value) for tag, kind, value in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_tag_of_an_odd_type_costs_nothing(tmp_path: Path, suffix: str) -> None:
    image = Image.linear_gradient("L").convert("RGB")
    image.save(tmp_path / f"odd.{suffix}", exif=odd_exif())
    found = read_picture(tmp_path / f"odd.{suffix}", 32, 1)[0]
    assert found[0, 0] > 230, "black above is turned to the right"
    assert found[0, -1] < 25


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_turn_is_that_of_pillow(tmp_path: Path, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert (read_picture(tmp_path / "turned.png", 9, 3) == np.moveaxis(upright, -1, 0)).all()


COLOUR = {"P": "png", "PA": "tiff", "RGB": "png", "RGBA": "png", "CMYK": "jpg", "YCbCr": "tiff"}
GREY = {"1": "png", "L": "png", "LA": "png"}
DEEP = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
MODES = (*COLOUR, *GREY, *DEEP)


def picture(folder: Path, mode: str) -> Path:
    """Noise as a file of that mode."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    if mode in DEEP:
        image, suffix = Image.fromarray(noise[..., 0].astype(DEEP[mode])), "tiff"
    else:
        alpha = "A" if mode in ("LA", "PA", "RGBA") else ""
        image = Image.fromarray(noise).convert(f"RGB{alpha}").convert(mode)
        suffix = (COLOUR | GREY)[mode]
    path = folder / f"{mode.replace(';', '')}.{suffix}"
    image.save(path)
    return path


@pytest.mark.parametrize("mode", MODES)
def test_what_a_file_stores_decides_on_colour(tmp_path: Path, mode: str) -> None:
    """Not what it shows; and grey in three channels is grey three times, to the byte."""
    path = picture(tmp_path, mode)
    own, grey = read_pictures([path], 6, None, "own")
    assert grey is (mode not in COLOUR)
    assert own.shape == (1, 1 if grey else 3, 6, 6)
    assert (read_picture(path, 6, 3) == own[0].expand(3, -1, -1).numpy()).all()
    if grey:
        assert (read_picture(path, 6, 1) == own[0].numpy()).all()


@pytest.mark.parametrize("mode", [m for m in MODES if "A" not in m and m not in DEEP])
@pytest.mark.parametrize(("channels", "asked"), [(1, "L"), (3, "RGB")])
def test_channels_are_those_of_pillow(tmp_path: Path, mode: str, channels: int, asked: str) -> None:
    path = picture(tmp_path, mode)
    with Image.open(path) as image:
        square = ImageOps.fit(image.convert(asked), (6, 6), Image.Resampling.BILINEAR)
    expected = np.moveaxis(np.asarray(square).reshape(6, 6, channels), -1, 0)
    assert (read_picture(path, 6, channels) == expected).all()


def test_one_that_is_coloured_gives_all_three_channels(tmp_path: Path) -> None:
    paths = [picture(tmp_path, mode) for mode in ("L", "RGB", "LA")]
    images, grey = read_pictures(paths, 6, None, "mixed")
    assert not grey
    expected = np.stack([read_picture(path, 6, 3) for path in paths])
    assert (images.numpy() == expected).all()


@pytest.mark.parametrize("error", [RuntimeError("no item"), struct.error("odd"), AttributeError()])
def test_no_error_of_a_format_leaves_without_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Such as those of a damaged AVIF."""
    Image.new("L", (4, 4)).save(tmp_path / "a.png")

    def fail(_image: Image.Image) -> None:
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    says = str(error) or "AttributeError"
    with pytest.raises(UsageError, match=rf"cannot read the image .*a\.png \({says}\): replace or"):
        read_picture(tmp_path / "a.png", 8, 3)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow was made without AVIF")
def test_a_damaged_avif_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    Image.linear_gradient("L").convert("RGB").save(path)
    whole, refused = path.read_bytes(), 0
    for at in range(0, 300, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_picture(path, 8, 3)
        except UsageError:
            refused += 1
    assert refused > 5


def test_all_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i:02d}.png" for i in range(15)]
    for path in paths:
        path.write_bytes(b"oops")
    Image.new("L", (4, 4)).save(paths[1])
    with pytest.raises(UsageError) as caught:
        read_pictures(paths[:4], 8, 3, "some")
    assert [p.name in str(caught.value) for p in paths[:4]] == [True, False, True, True]
    with pytest.raises(UsageError, match=r"10\.png .*; and 4 more"):
        read_pictures(paths, 8, 3, "some")


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
    with pytest.raises(UsageError, match=r"cannot read the image .*no\.png"):
        read_picture(path, 8, None)


@pytest.mark.parametrize("factor", [1.5, 3])
def test_decompression_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / factor))
    with pytest.raises(UsageError, match=r"bomb\.png .*exceeds limit.*: shrink or remove it"):
        read_picture(tmp_path / "bomb.png", 8, 1)


def test_several_pictures_are_read_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        Image.new("L", (9, 7), 50 * i).save(path)
    images, grey = read_pictures(paths, 5, 3, "greys")
    assert grey
    assert images.shape == (3, 3, 5, 5)
    assert images[:, 0, 0, 0].tolist() == [0, 50, 100]
