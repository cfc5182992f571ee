"""Pictures of more than eight bits, and transparent ones."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewshot_film.data.reading.picture import read_picture, read_pictures
from fewshot_film.errors import UsageError

RAMP = np.tile(np.linspace(0, 1, 64), (64, 1))
BYTES = (RAMP * 255).astype(np.uint8)


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_bits_that_are_used_are_those_that_are_shown(tmp_path: Path, bits: int) -> None:
    """Camera frames of 10 or 12 bits kept in 16 are no blacker than others."""
    deep = (RAMP * (2**bits - 1)).astype(np.uint16)
    found = read_picture(saved(tmp_path / "deep.png", deep), 64, 1)
    assert (found[0] == deep >> (bits - 8)).all()


def test_shares_of_one_become_bytes(tmp_path: Path) -> None:
    floats = (BYTES / 255).astype(np.float32)
    assert (read_picture(saved(tmp_path / "a.tif", floats), 64, 1)[0] == BYTES).all()
    assert (read_picture(saved(tmp_path / "b.tif", BYTES + np.float32(0.5)), 64, 1) == BYTES).all()


def test_white_is_one_value_for_all(tmp_path: Path) -> None:
    """A dark frame among others stays dark; bytes are what they are."""
    bright, dark = ((RAMP * top).astype(np.uint16) for top in (4095, 255))
    arrays: list[np.ndarray] = [bright, dark, BYTES]
    files = [saved(tmp_path / f"{i}.png", values) for i, values in enumerate(arrays)]
    images, grey = read_pictures(files, 64, None, "frames")
    assert grey
    assert (images[:, 0].numpy() == np.stack([bright >> 4, dark >> 4, BYTES])).all()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (RAMP * 2 - 1, "its values go from -1 to 1, read are 0 to 65535"),
        (RAMP * 1e6, "its values go from 0 to 1e"),
        (RAMP * np.nan, "its values go from nan to nan"),
    ],
)
def test_values_that_no_depth_holds_are_named(
    tmp_path: Path, values: np.ndarray, says: str
) -> None:
    path = saved(tmp_path / "odd.tif", values.astype(np.float32))
    with pytest.raises(UsageError, match=rf"odd\.tif \({says}.*: scale them to 0 to 255 and save"):
        read_picture(path, 8, 1)


def deep_colour(path: Path, top: int) -> Path:
    """A PNG of 16 bits a colour, which Pillow reads but does not write."""
    values = np.repeat((RAMP * top).astype(">u2")[..., None], 3, -1)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    head = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def test_deep_colour_that_would_be_black_is_named(tmp_path: Path) -> None:
    assert read_picture(deep_colour(tmp_path / "full.png", 65535), 8, 3).max() > 230
    with pytest.raises(UsageError, match=r"of 16 bits is above 4095.*: save it with 8 bits a col"):
        read_picture(deep_colour(tmp_path / "twelve.png", 4095), 8, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    if mode == "P":
        Image.new("P", (8, 8), 0).save(tmp_path / "clear.png", transparency=0)
    else:
        image.convert(mode).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png", 8, 3).min() == 255


@pytest.mark.parametrize(("ink", "seen"), [(255, False), (0, True)])
def test_white_ink_on_a_transparent_ground_is_named(tmp_path: Path, ink: int, seen: bool) -> None:
    image = Image.new("LA", (40, 40))
    image.paste((ink, 255), (10, 10, 30, 30))
    image.save(tmp_path / "ink.png")
    if seen:
        assert read_picture(tmp_path / "ink.png", 8, 1).min() == 0
        return
    with pytest.raises(UsageError, match=r"ink\.png \(it is white .*\): give it a ground of anoth"):
        read_picture(tmp_path / "ink.png", 8, 1)
