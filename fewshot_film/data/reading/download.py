"""Downloads that are whole or not there at all."""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from urllib.response import addinfourl

from filelock import FileLock
from tqdm import tqdm

from fewshot_film.errors import UsageError

CHUNK = 1 << 18
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class Archive:
    """A file known by its MD5, and the addresses that serve it, tried in this order."""

    name: str
    urls: tuple[str, ...]
    md5: str
    layout: str = ""
    """What lies in the folder that it unpacks to, in words."""


def fetch(urls: Sequence[str], path: Path, md5: str, timeout: float = 30.0) -> Path:
    """urls -> path, a file whose MD5 is `md5`, from the first address that gives it.

    What has arrived is kept in `<path>.part` and continued by a later attempt, at the same address
    or another. A file that is already there is used if its MD5 is right and never overwritten.
    `timeout` is the number of seconds without a byte after which an address is given up.
    """
    with lock(path):
        if path.exists():
            return _checked(path, md5)
        part = path.with_name(path.name + ".part")
        problems = []
        for url in urls:
            problem = _attempt(url, part, md5, timeout)
            if problem is None:
                return part.replace(path)
            problems.append(f"{url}: {problem}")
    raise UsageError(
        f"could not download {path.name} (expected MD5 {md5}) from any of {len(urls)} addresses "
        f"[{'; '.join(problems)}]; get the file {_command(urls, path)}"
    )


def _command(urls: Sequence[str], path: Path) -> str:
    if not urls:
        return f"by other means and place it as {path}"
    return f"where there is a network, with: {shlex.join(['curl', '-L', '-o', str(path), urls[0]])}"


def lock(path: Path) -> FileLock:
    """A lock that keeps a second process from writing the same file or folder."""
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        name.touch()
    except OSError as error:
        raise UsageError(
            f"cannot write {path} ({error.strerror}): choose another data root "
            "with `data_root` or FEWSHOT_FILM_DATA"
        ) from error
    return FileLock(name)


def file_md5(path: Path) -> str:
    """path -> MD5 of the file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _checked(path: Path, md5: str) -> Path:
    found = file_md5(path)
    if found != md5:
        raise UsageError(
            f"{path} has MD5 {found} instead of {md5}: delete it to have it downloaded again"
        )
    return path


def _attempt(url: str, part: Path, md5: str, timeout: float) -> str | None:
    """None once `part` is the wanted file, else what went wrong."""
    continued = part.exists()
    if problem := _download(url, part, timeout):
        return problem
    found = file_md5(part)
    if found == md5:
        return None
    part.unlink()
    # What lay in the part may have been the wrong half, so the address gets a second chance.
    return _attempt(url, part, md5, timeout) if continued else f"MD5 is {found}"


def _download(url: str, part: Path, timeout: float) -> str | None:
    """Reads on while every connection adds to `part`; None at the end of the file."""
    while True:
        before = _size(part)
        try:
            problem = _receive(url, part, before, timeout)
        except HTTPError as error:
            error.close()
            at_end = error.code == RANGE_NOT_SATISFIABLE and before > 0
            return None if at_end else f"HTTP {error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            problem = str(error) or type(error).__name__
        if problem is None or _size(part) <= before:
            return problem


def _receive(url: str, part: Path, start: int, timeout: float) -> str | None:
    """One connection: the bytes from `start` on are appended to `part`."""
    request = Request(url, headers={"User-Agent": "fewshot_film"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urlopen(request, timeout=timeout) as response:
        # A server that does not know Range answers 200 with the whole file.
        start = start if response.status == 206 else 0
        remaining = response.headers.get("Content-Length")
        total = None if remaining is None else start + int(remaining)
        _append(response, part, start, total)
    size = _size(part)
    return None if total is None or size == total else f"cut off at {size} of {total} bytes"


def _append(response: HTTPResponse | addinfourl, part: Path, start: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=name, disable=None) as bar,
    ):
        while block := response.read(CHUNK):
            file.write(block)
            bar.update(len(block))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
