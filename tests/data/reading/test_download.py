"""Downloads from a real server on this machine, one address for each way of misbehaving."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fewshot_film.data.reading.download import fetch, file_md5
from fewshot_film.errors import UsageError

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """/ranges continues, /plain ignores Range, /cuts sends a third at most, /wrong another file."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        content = b"<html>busy</html>" if self.path == "/wrong" else CONTENT
        ignores = self.path in ("/plain", "/plain-cuts", "/wrong")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not ignores else 0
        if self.path == "/missing":
            self.send_error(404)
        elif start >= len(content):
            self.send_error(416)
        else:
            self.send(content[start:], 206 if start else 200)

    def send(self, rest: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(CONTENT) // 3] if self.path.endswith("cuts") else rest)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), type("Recording", (Handler,), {"asked": self.asked}))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "file.bin"


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


@pytest.mark.parametrize("name", ["ranges", "plain", "cuts"])
def test_the_file_arrives_whole(server: Server, path: Path, name: str) -> None:
    assert fetch([server.url(name)], path, MD5) == path
    assert path.read_bytes() == CONTENT
    assert not part_of(path).exists()


@pytest.mark.parametrize("name", ["ranges", "plain"])
def test_a_part_is_continued(server: Server, path: Path, name: str) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT[:5000])
    fetch([server.url(name)], path, MD5)
    assert path.read_bytes() == CONTENT
    assert server.asked == [(f"/{name}", "bytes=5000-")]


def test_a_part_that_is_whole_already_is_taken(server: Server, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT)
    assert fetch([server.url("ranges")], path, MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("junk", [b"junk", CONTENT + b"more"])
def test_a_part_of_another_file_is_thrown_away(server: Server, path: Path, junk: bytes) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(junk)
    assert fetch([server.url("ranges")], path, MD5).read_bytes() == CONTENT


def test_the_next_mirror_continues_what_a_broken_one_began(server: Server, path: Path) -> None:
    fetch([server.url("plain-cuts"), server.url("ranges")], path, MD5)
    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == ("/ranges", f"bytes={len(CONTENT) // 3}-")


def test_bad_mirrors_are_passed_over(server: Server, path: Path) -> None:
    names = ("missing", "wrong", "ranges")
    fetch(["http://127.0.0.1:1/refused", *map(server.url, names)], path, MD5)
    assert path.read_bytes() == CONTENT


def test_the_error_names_file_addresses_checksums_and_remedy(server: Server, path: Path) -> None:
    urls = [server.url("missing"), server.url("wrong")]
    with pytest.raises(UsageError) as caught:
        fetch(urls, path, MD5)
    message = str(caught.value)
    found = hashlib.md5(b"<html>busy</html>", usedforsecurity=False).hexdigest()
    for fact in (*urls, MD5, found, "404", f"curl -L -o {path} {urls[0]}"):
        assert fact in message
    assert "\n" not in message
    assert not path.exists()
    assert not part_of(path).exists()


def test_what_arrived_is_kept_for_the_next_run(server: Server, path: Path) -> None:
    with pytest.raises(UsageError, match="cut off at 341333 of 1024000 bytes"):
        fetch([server.url("plain-cuts")], path, MD5)
    assert not path.exists()
    assert part_of(path).read_bytes() == CONTENT[: len(CONTENT) // 3]


def test_a_file_in_place_is_used_without_asking(server: Server, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    fetch([server.url("ranges")], path, MD5)
    assert server.asked == []


def test_a_wrong_file_in_place_is_named_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match=f"MD5 {file_md5(path)} instead of {MD5}: delete"):
        fetch([], path, MD5)
    assert path.read_bytes() == b"mine"


def test_two_at_once_download_once(server: Server, path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(fetch, [server.url("ranges")], path, MD5) for _ in range(2)]
        assert [job.result() for job in jobs] == [path, path]
    assert len(server.asked) == 1


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="choose another data root"):
        fetch([], tmp_path / "file" / "archive.zip", MD5)
