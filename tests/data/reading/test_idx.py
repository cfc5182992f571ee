import gzip
from pathlib import Path

import numpy as np
import pytest
from official import idx

from fewshot_film.data.reading.idx import read_idx
from fewshot_film.errors import UsageError

VALUES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def written(folder: Path, content: bytes, name: str = "images") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, b"\0\0\x08\x01" + b"\0\0\0\x03" + b"\x07\x02\xff")
    assert read_idx(path, 1).tolist() == [7, 2, 255]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert (read_idx(written(tmp_path, idx(VALUES)), 3) == VALUES).all()
    packed = written(tmp_path, gzip.compress(idx(VALUES)), "images.gz")
    assert (read_idx(packed, 3) == VALUES).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08\x03\0\0", b"\0\0\x09\x03" + idx(VALUES)[4:], idx(VALUES[0])],
    ids=["empty", "head cut off", "other type", "two dimensions"],
)
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match=r"images is no idx file of 3 dimensions of bytes: delete"):
        read_idx(written(tmp_path, content), 3)


def test_truncation_is_named_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="images holds 23 values, its head announces 24"):
        read_idx(written(tmp_path, idx(VALUES)[:-1]), 3)
    with pytest.raises(UsageError, match="images holds 25 values, its head announces 24"):
        read_idx(written(tmp_path, idx(VALUES) + b"\0"), 3)


def test_sizes_beyond_all_memory_are_only_counted(tmp_path: Path) -> None:
    content = b"\0\0\x08\x03" + b"\xff" * 12
    with pytest.raises(UsageError, match="holds 0 values, its head announces 79228162458924105385"):
        read_idx(written(tmp_path, content), 3)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(idx(VALUES))
    for content in (packed[:-9], b"no archive"):
        with pytest.raises(UsageError, match=r"cannot read .*images\.gz \(.*\): delete it"):
            read_idx(written(tmp_path, content, "images.gz"), 3)
