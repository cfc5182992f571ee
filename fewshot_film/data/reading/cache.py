"""Decoded images, kept so that the next load takes a moment."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.listing import Entry, listed
from fewshot_film.data.root import user_cache

FORMAT = "1"


def cached(root: Path, name: str, key: str, build: Callable[[], ImageSet]) -> ImageSet:
    """build(), from `<root>/decoded/<name>.npz` if that was written for the same `key`.

    A file of another key or format, or a damaged one, is built again. Where the root cannot be
    written the file goes to the user's cache folder, and if that fails too nothing is kept.
    """
    found = kept(root, name, key)
    if found is None:
        found = build()
        keep(root, name, key, found)
    return found


def kept(root: Path, name: str, key: str) -> ImageSet | None:
    """What was kept under this name for the same `key`, or None."""
    found = (_read(place, f"{FORMAT} {key}") for place in _places(root, name))
    return next((data for data in found if data is not None), None)


def keep(root: Path, name: str, key: str, data: ImageSet) -> None:
    """Writes to the first place that can be written, which is enough."""
    any(_written(place, f"{FORMAT} {key}", data) for place in _places(root, name))


def fingerprint(*folders: Path) -> str:
    """folders -> a hash of every file's path, size and time of change, without reading any."""
    return digest(line for folder in folders for line in sorted(_files(folder, "")))


def digest(lines: Iterable[str]) -> str:
    """lines -> their hash, in hexadecimal."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode("utf8", "surrogateescape"))
    return whole.hexdigest()


def facts_of(entry: Entry, name: str) -> str:
    """A line that changes where the file called `name` may have."""
    return f"{name}\0{entry.facts.st_size}\0{entry.facts.st_mtime_ns}\n"


def _files(folder: Path, prefix: str) -> Iterator[str]:
    for entry in listed(folder):
        name = f"{prefix}{entry.path.name}"
        if entry.is_folder:
            yield from _files(entry.path, f"{name}/")
        else:
            yield facts_of(entry, name)


def _places(root: Path, name: str) -> tuple[Path, Path]:
    root_id = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]
    return (
        root / "decoded" / f"{name}.npz",
        user_cache() / "decoded" / f"{name}-{root_id}.npz",
    )


def _read(path: Path, key: str) -> ImageSet | None:
    """path -> what was kept for `key`, or None."""
    try:
        facts = path.stat()
        return _content(path, key, facts.st_mtime_ns, facts.st_size)
    except Exception:  # a damaged file can fail in any way
        return None


@lru_cache(maxsize=1)
def _content(path: Path, key: str, changed: int, size: int) -> ImageSet | None:
    """The last file that was read stays in memory, for evaluations one after another."""
    del changed, size
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        whole = archive.testzip() is None  # checksums: numpy may stop short of them
        file.seek(0)
        return _unpacked(file, key) if whole else None


def _unpacked(file: IO[bytes], key: str) -> ImageSet | None:
    with np.load(file, allow_pickle=False) as kept:
        texts = json.loads(str(kept["texts"]))
        if texts["key"] != key:
            return None
        return ImageSet(
            images=torch.from_numpy(kept["images"]),
            labels=torch.from_numpy(kept["labels"]),
            names=tuple(texts["names"]),
            domains=torch.from_numpy(kept["domains"]),
            domain_names=tuple(texts["domain_names"]),
        )


def _written(path: Path, key: str, data: ImageSet) -> bool:
    """Writes path in one step; False if that cannot be done here."""
    texts = {"key": key, "names": data.names, "domain_names": data.domain_names}
    arrays = {n: getattr(data, n).numpy() for n in ("images", "labels", "domains")}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as temporary:
            whole = Path(temporary, path.name)
            np.savez(whole, texts=np.array(json.dumps(texts)), **arrays)
            whole.replace(path)
    except OSError:
        return False
    return True
