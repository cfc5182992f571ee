import os
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading import cache
from fewshot_film.data.reading.cache import cached, fingerprint

DATA = ImageSet(
    images=torch.arange(48, dtype=torch.uint8).reshape(3, 1, 4, 4),
    labels=torch.tensor([0, 1, 1]),
    names=("a/ä", "b"),
    domains=torch.tensor([0, 0, 1]),
    domain_names=("x", "y"),
)


class Counted:
    """A build that counts its calls."""

    calls = 0

    def __call__(self) -> ImageSet:
        self.calls += 1
        return DATA


@pytest.fixture(autouse=True)
def users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "fewshot_film"


def assert_same(found: ImageSet) -> None:
    for name in ("images", "labels", "domains"):
        assert torch.equal(getattr(found, name), getattr(DATA, name))
    assert (found.names, found.domain_names) == (DATA.names, DATA.domain_names)


def test_the_second_load_does_not_build(tmp_path: Path) -> None:
    build = Counted()
    for _ in range(2):
        assert_same(cached(tmp_path, "set", "key", build))
    assert build.calls == 1
    assert [p.name for p in (tmp_path / "decoded").iterdir()] == ["set.npz"]


def test_another_key_builds_again(tmp_path: Path) -> None:
    build = Counted()
    for key in ("one", "two", "two"):
        cached(tmp_path, "set", key, build)
    assert build.calls == 2


@pytest.mark.parametrize("kept", [0, 1, 100, -1, -100])
def test_a_truncated_file_is_built_again(tmp_path: Path, kept: int) -> None:
    cached(tmp_path, "set", "key", Counted())
    file = tmp_path / "decoded" / "set.npz"
    file.write_bytes(file.read_bytes()[:kept])
    build = Counted()
    for _ in range(2):
        assert_same(cached(tmp_path, "set", "key", build))
    assert build.calls == 1


@pytest.mark.parametrize("flip", [0x01, 0x11])
def test_flipped_bits_never_give_other_data(tmp_path: Path, flip: int) -> None:
    cached(tmp_path, "set", "key", Counted())
    file = tmp_path / "decoded" / "set.npz"
    whole = file.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= flip
        file.write_bytes(damaged)
        assert_same(cached(tmp_path, "set", "key", Counted()))


def test_where_the_root_cannot_be_written_the_users_cache_serves(
    tmp_path: Path, users_cache: Path
) -> None:
    (tmp_path / "decoded").touch()  # a file where the folder would be
    build = Counted()
    for _ in range(2):
        assert_same(cached(tmp_path, "set", "key", build))
    assert build.calls == 1
    assert len(list((users_cache / "decoded").iterdir())) == 1


def test_where_nothing_can_be_written_it_still_loads(tmp_path: Path) -> None:
    (tmp_path / "decoded").touch()
    (tmp_path / "home").touch()
    assert_same(cached(tmp_path, "set", "key", Counted()))


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> ImageSet:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, "set", "key", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_later_build_replaces_the_earlier(tmp_path: Path) -> None:
    cached(tmp_path, "set", "old", Counted())
    other = replace(DATA, names=("c", "d"))
    cached(tmp_path, "set", "new", lambda: other)
    assert cached(tmp_path, "set", "new", Counted()).names == ("c", "d")


def test_the_fingerprint_notices_every_change(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    file = tree / "a" / "1"
    file.write_bytes(b"one")
    os.utime(file, ns=(0, 0))
    seen = [fingerprint(tree)]
    assert fingerprint(tree) == seen[0]
    os.utime(file, ns=(0, 1))
    seen.append(fingerprint(tree))
    file.write_bytes(b"longer")
    os.utime(file, ns=(0, 0))
    seen.append(fingerprint(tree))
    file.rename(tree / "a" / "2")
    seen.append(fingerprint(tree))
    (tree / "a" / "1").touch()
    seen.append(fingerprint(tree))
    assert len(set(seen)) == 5


def test_the_last_file_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    real = cache._unpacked

    def counted(file: IO[bytes], key: str) -> ImageSet | None:
        reads.append(file.name)
        return real(file, key)

    monkeypatch.setattr(cache, "_unpacked", counted)
    cached(tmp_path, "set", "key", Counted())
    first, second = (cached(tmp_path, "set", "key", Counted()) for _ in range(2))
    assert_same(first)
    assert second is first
    assert len(reads) == 1
    cached(tmp_path, "other", "key", Counted())
    cached(tmp_path, "other", "key", Counted())
    assert_same(cached(tmp_path, "set", "key", Counted()))
    assert len(reads) == 3, "one file at a time is kept"


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    """Another process may have written it since."""
    file, changed = tmp_path / "decoded" / "set.npz", replace(DATA, names=("c/ä", "d"))
    for _ in range(2):
        assert_same(cached(tmp_path, "set", "key", Counted()))
    cached(tmp_path / "elsewhere", "set", "key", lambda: changed)
    other = (tmp_path / "elsewhere" / "decoded" / "set.npz").read_bytes()
    assert len(other) == file.stat().st_size
    time = file.stat().st_mtime_ns + 1
    file.write_bytes(other)
    os.utime(file, ns=(time, time))
    assert cached(tmp_path, "set", "key", Counted()).names == changed.names
