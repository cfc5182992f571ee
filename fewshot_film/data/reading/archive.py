"""Archives unpacked wholly or not at all, and never outside their folder."""

import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import IO

from tqdm import tqdm

from fewshot_film.data.reading.download import Archive, fetch, lock
from fewshot_film.errors import UsageError

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)


def obtain(archive: Archive, folder: Path) -> Path:
    """archive -> folder: used as it stands if it is there, else downloaded and unpacked."""
    if folder.is_dir():
        return folder
    with lock(folder):
        if not folder.is_dir():
            extract(_fetched(archive, folder), folder)
    return folder


def _fetched(archive: Archive, folder: Path) -> Path:
    """The archive beside the folder, or an error that says what may lie there instead."""
    try:
        return fetch(archive.urls, folder.parent / archive.name, archive.md5)
    except UsageError as error:
        raise UsageError(
            f"{error} - or have its content, {archive.layout or 'unpacked'}, as the folder "
            f"{folder}; `data_root` or FEWSHOT_FILM_DATA names another place for all data sets"
        ) from error


def extract(archive: Path, folder: Path) -> None:
    """archive (.zip or .tar.gz) -> folder, from the folder of that name at its top."""
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent) as temporary:
        try:
            _unpack(archive, Path(temporary))
        except DAMAGE as error:
            raise UsageError(
                f"{archive} is damaged ({error}): delete it to have it downloaded again"
            ) from error
        top = Path(temporary, folder.name)
        if not top.is_dir():
            raise UsageError(f"{archive} holds no folder {folder.name!r}: it is another archive")
        top.rename(folder)


def _unpack(archive: Path, folder: Path) -> None:
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    bar = tqdm(members(archive), desc=f"unpacking {archive.name}", disable=None, delay=2)
    for name, content in bar:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            _refuse_unless(kind in (0, stat.S_IFREG, stat.S_IFDIR), archive, member.filename)
            if not member.is_dir():
                yield member.filename, file.open(member)


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive, "r:gz") as file:
        for member in file:
            _refuse_unless(member.isfile() or member.isdir(), archive, member.name)
            content = file.extractfile(member)
            if content is not None:
                yield member.name, content


def _refuse_unless(plain: bool, archive: Path, name: str) -> None:
    """Links, devices and names that lead out of the folder, on any system, are refused."""
    path = PureWindowsPath(name)
    if not plain or path.anchor or ".." in path.parts:
        raise UsageError(
            f"{archive} is unsafe: its member {name!r} is a link or leads out of the folder; "
            "delete the archive and get it from its authors"
        )
