import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fewshot_film.data.reading.safe_pickle import read
from fewshot_film.errors import UsageError

# What Python 2 with an old numpy writes for {"data": arange(6, dtype=uint8).reshape(2, 3),
# "labels": [1, 0]} in protocol 2: plain strings, and numpy.core.multiarray by its old name.
PYTHON_2 = (
    b"\x80\x02}q\x00(U\x04datacnumpy.core.multiarray\n_reconstruct\n"
    b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02K\x03\x86cnumpy\ndtype\n"
    b"U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    b"U\x06\x00\x01\x02\x03\x04\x05tbU\x06labels](K\x01K\x00eu."
)


class Evil:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "train"
    path.write_bytes(content)
    return path


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    content = read(written(tmp_path, PYTHON_2))
    assert isinstance(content, dict)
    np.testing.assert_array_equal(content[b"data"], np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert content[b"data"].dtype == np.uint8
    assert content[b"labels"] == [1, 0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_python_3_are_read(tmp_path: Path, protocol: int) -> None:
    images = np.arange(512, dtype=np.uint8).reshape(2, 256)
    content = {b"data": images, b"labels": [3, 4], "names": [b"caf\xc3\xa9", "é"]}
    found = read(written(tmp_path, pickle.dumps(content, protocol)))
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found[b"data"], images)
    assert {k: v for k, v in found.items() if k != b"data"} == {
        b"labels": [3, 4],
        "names": [b"caf\xc3\xa9", "é"],
    }


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    evil = pickle.dumps({b"data": Evil(os.remove, str(victim))}, protocol)
    with pytest.raises(UsageError, match=r"remove, which is refused"):
        read(written(tmp_path, evil))
    assert victim.exists()


@pytest.mark.parametrize("evil", [Evil(eval, "1"), Evil(getattr, "a", "b"), Evil(np.load, "x")])
def test_other_names_are_refused(tmp_path: Path, evil: Evil) -> None:
    with pytest.raises(UsageError, match=r"which is refused"):
        read(written(tmp_path, pickle.dumps(evil)))


def test_other_codecs_are_refused(tmp_path: Path) -> None:
    evil = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."
    with pytest.raises(UsageError, match=r"encoding 'rot13'"):
        read(written(tmp_path, evil))


@pytest.mark.parametrize("content", [b"", b"<html>", PYTHON_2[:-30], PYTHON_2[:40]])
def test_a_damaged_pickle_is_named(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError, match=f"cannot read the pickle {path}"):
        read(path)
