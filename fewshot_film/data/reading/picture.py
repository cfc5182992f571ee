"""Picture files of any format, as square arrays of one size."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from fewshot_film.data.reading.flat import (
    GREY_MODES,
    Unfit,
    check_deep_colour,
    flat,
    has_deep_colour,
)
from fewshot_film.errors import UsageError

BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
NAMED = 10
"""So many pictures that cannot be read are named in one error."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what turns the picture upright."""


class Pictures(NamedTuple):
    """Images, and whether every file stores a single channel."""

    images: UInt8[Tensor, "image channel size size"]
    grey: bool


@dataclass(frozen=True)
class Square:
    """One picture, read once for every depth from its own on if it has more than eight bits."""

    grey: bool
    depth: int
    readings: Sequence[UInt8[np.ndarray, "channel size size"]]

    def at(self, depth: int) -> UInt8[np.ndarray, "channel size size"]:
        return self.readings[min(depth - self.depth, len(self.readings) - 1)]


def read_picture(
    path: Path, size: int, channels: int | None
) -> UInt8[np.ndarray, "channel size size"]:
    """path -> the largest centred square, upright, scaled to `size` pixels; the first of frames.

    Scaling is bilinear and antialiased; what is transparent becomes white.
    """
    return read_pictures([path], size, channels, path.name).images[0].numpy()


def read_pictures(files: Sequence[Path], size: int, channels: int | None, name: str) -> Pictures:
    """files -> read_picture of each, opened once, with a progress bar that calls them `name`.

    Without `channels` there is one if all files are grey, else three. White in those of more than
    eight bits is 1, 255, 1023, 4095, 16383 or 65535: the first that none of them exceeds.
    """
    squares = _squares(files, size, channels, name)
    depth, grey = max(s.depth for s in squares), all(s.grey for s in squares)
    shape = (channels or (1 if grey else 3), size, size)
    pixels = np.stack([np.broadcast_to(s.at(depth), shape) for s in squares])
    return Pictures(torch.from_numpy(pixels), grey)


def _squares(files: Sequence[Path], size: int, channels: int | None, name: str) -> list[Square]:
    """Every file is tried, so that one error names all that cannot be read."""
    squares, errors = [], []
    for path in tqdm(files, desc=f"reading {name}", disable=None, delay=2):
        try:
            squares.append(_square(path, size, channels))
        except UsageError as error:
            errors.append(error)
    if errors:
        more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
        raise UsageError("; ".join(map(str, errors[:NAMED])) + more) from errors[0]
    return squares


def _square(path: Path, size: int, channels: int | None) -> Square:
    """path -> its square: of one channel if it is grey or grey is asked for, else of three."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                grey, deep_colour = image.mode in GREY_MODES, has_deep_colour(image)
                upright = _upright(image)
                if deep_colour:
                    check_deep_colour(upright)
                depth, readings = flat(upright)
                mode = "L" if grey or channels == 1 else "RGB"
                return Square(grey, depth, [_fit(r.convert(mode), size) for r in readings])
    except Exception as error:  # a damaged file can fail in any way
        raise _unreadable(path, error) from error


def _upright(image: Image.Image) -> Image.Image:
    """As ImageOps.exif_transpose, which also writes all tags anew and fails where one is odd."""
    image.load()
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _fit(image: Image.Image, size: int) -> UInt8[np.ndarray, "channel size size"]:
    square = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(square).reshape(size, size, -1), -1, 0)


def _unreadable(path: Path, error: Exception) -> UsageError:
    what, remedy = str(error) or type(error).__name__, "replace or remove it"
    if isinstance(error, Unfit):
        what, remedy = error.args
    elif isinstance(error, BOMBS):
        remedy = "shrink or remove it"
    return UsageError(f"cannot read the image {path} ({what}): {remedy}")
