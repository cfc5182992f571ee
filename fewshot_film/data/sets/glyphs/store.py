"""The stored file: named arrays in a zip, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from fewshot_film.errors import UsageError

FILE = Path(__file__).with_name("glyphs.npz")

Arrays = Mapping[str, np.ndarray]

KEYS = ("images", "labels", "families", "names", "splits", "family_names")


def write(path: Path, arrays: Arrays) -> None:
    """np.savez_compressed, but with a fixed time stamp on every member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key in KEYS:
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, arrays[key], allow_pickle=False)
            member = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue(), compresslevel=9)


def read(path: Path = FILE) -> dict[str, np.ndarray]:
    """images (N,28,28) u8, labels and families (N,), names and splits by class, family_names."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in KEYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(
            f"the glyphs file {path} cannot be read ({error}); reinstall fewshot_film"
        ) from error


@cache
def shipped() -> dict[str, np.ndarray]:
    """What the file that ships holds, unpacked once a process; to be looked at, not written to."""
    return read(FILE)
