"""Single data files, packed or not."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from fewshot_film.data.reading.download import Archive, fetch
from fewshot_film.errors import UsageError

UNPACK: Mapping[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}


def lying(archive: Archive, folder: Path) -> Path | None:
    """The file as it lies in the folder, unpacked or packed, or None."""
    places = (folder / Path(archive.name).stem, folder / archive.name)
    return next((place for place in places if place.is_file()), None)


def obtain_file(archive: Archive, folder: Path) -> Path:
    """archive -> the file: used as it stands if it is there, else downloaded and checked."""
    return lying(archive, folder) or fetch(archive.urls, folder / archive.name, archive.md5)


def content(path: Path) -> bytes:
    """path -> its bytes, unpacked where the name ends in .gz or .bz2."""
    try:
        return UNPACK.get(path.suffix, bytes)(path.read_bytes())
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UsageError(
            f"cannot read {path} ({error}): delete it to have it downloaded again"
        ) from error
