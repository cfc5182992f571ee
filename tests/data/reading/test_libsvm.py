import bz2
from pathlib import Path

import pytest

from fewshot_film.data.reading.libsvm import read_libsvm
from fewshot_film.errors import UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "some.bz2"
    path.write_bytes(bz2.compress(text.encode()))
    return path


def test_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, "10 1:-1.0000 2:0.25 3:1 \n1 1:0 2:-1e-1 3:.5\n")
    labels, values = read_libsvm(path, 3)
    assert labels.tolist() == [10, 1]
    assert values.tolist() == [[-1, 0.25, 1], [0, -0.1, 0.5]]


def test_one_line_is_one_example(tmp_path: Path) -> None:
    assert read_libsvm(written(tmp_path, "3 1:5 2:6\n"), 2)[1].shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no data"),
        ("1 1:2 2:3\n1 1:2\n", "columns"),
        ("1 1:2 two:3\n", "two"),
        ("1 1:2 3:3\n", "a line does not list the features 1 to 2"),
        ("1 1:2 2:3 3:4\n", "a line does not list the features 1 to 2"),
        ("1 1:2 2\n", "a line does not list the features 1 to 2"),
        ("1.5 1:2 2:3\n", "a label is no whole number"),
        ("1 1:nan 2:3\n", "a label is no whole number, or a value none at all"),
    ],
)
def test_other_content_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=rf"some\.bz2 is not the expected libsvm file \(.*{says}"):
        read_libsvm(written(tmp_path, text), 2)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:2 2:3\n")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UsageError, match=r"cannot read .*some\.bz2 \(.*\): delete it"):
        read_libsvm(path, 2)
