"""Picture files of any format, as square arrays of one size."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from fewshot_film.errors import UsageError

GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L")
FAILURES = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    Image.DecompressionBombWarning,
    Image.DecompressionBombError,
)


def is_picture_name(path: Path) -> bool:
    """Whether Pillow reads files of that extension; hidden files are no pictures."""
    formats = Image.registered_extensions()
    return path.name[0] != "." and formats.get(path.suffix.lower()) in Image.OPEN


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """folder -> its picture files, by name."""
    return tuple(p for p in sorted(folder.iterdir()) if p.is_file() and is_picture_name(p))


def is_grey(path: Path) -> bool:
    """Whether the file stores a single channel, by its header alone."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.mode in GREY_MODES
    except FAILURES as error:
        raise _unreadable(path, error) from error


def read_pictures(
    files: Sequence[Path], size: int, channels: int, name: str
) -> UInt8[Tensor, "image channel size size"]:
    """files -> read_picture of each, with a progress bar that calls them `name`."""
    bar = tqdm(files, desc=f"reading {name}", disable=None, delay=2)
    return torch.from_numpy(np.stack([read_picture(path, size, channels) for path in bar]))


def read_picture(path: Path, size: int, channels: int) -> UInt8[np.ndarray, "channel size size"]:
    """path -> the largest centred square, upright, scaled to `size` pixels.

    Scaling is bilinear and antialiased; what is transparent becomes white.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                upright = _flat(ImageOps.exif_transpose(image))
        mode = "L" if channels == 1 else "RGB"
        square = ImageOps.fit(upright.convert(mode), (size, size), Image.Resampling.BILINEAR)
    except FAILURES as error:
        raise _unreadable(path, error) from error
    pixels = np.asarray(square).reshape(size, size, channels)
    return np.moveaxis(pixels, -1, 0)


def _flat(image: Image.Image) -> Image.Image:
    """Eight bits a channel and nothing transparent, as `convert` clips the one, drops the other."""
    if image.mode in DEEP_MODES:
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if "transparency" not in image.info and image.mode not in ("LA", "PA", "RGBA"):
        return image
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured)


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"cannot read the image {path} ({error}): replace or remove it")
