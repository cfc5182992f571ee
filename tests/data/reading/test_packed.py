import bz2
import gzip
from pathlib import Path

import pytest

from fewshot_film.data.reading.download import Archive
from fewshot_film.data.reading.packed import content, lying, obtain_file
from fewshot_film.errors import UsageError

ARCHIVE = Archive("values.gz", (), "0" * 32)


def test_content_is_unpacked_by_its_name(tmp_path: Path) -> None:
    for name, raw in (
        ("values", b"abc"),
        ("values.gz", gzip.compress(b"abc")),
        ("values.t.bz2", bz2.compress(b"abc")),
    ):
        (tmp_path / name).write_bytes(raw)
        assert content(tmp_path / name) == b"abc"


@pytest.mark.parametrize("name", ["values.gz", "values.bz2"])
@pytest.mark.parametrize("kept", [0, 3, -3])
def test_damage_is_named(tmp_path: Path, name: str, kept: int) -> None:
    pack = gzip.compress if name.endswith("gz") else bz2.compress
    whole = pack(b"abc")
    (tmp_path / name).write_bytes(whole[:kept] if kept else b"something else")
    with pytest.raises(UsageError, match=rf"cannot read .*{name} \(.*\): delete it to have"):
        content(tmp_path / name)


def test_what_lies_there_is_used_unpacked_first(tmp_path: Path) -> None:
    """Without addresses nothing could be downloaded, and the MD5 fits neither file."""
    assert lying(ARCHIVE, tmp_path) is None
    for name in ("values.gz", "values"):
        (tmp_path / name).write_bytes(b"")
        assert lying(ARCHIVE, tmp_path) == obtain_file(ARCHIVE, tmp_path) == tmp_path / name


def test_what_is_missing_is_downloaded_and_checked(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.write_bytes(b"")
    empty = Archive("values.gz", (served.as_uri(),), "d41d8cd98f00b204e9800998ecf8427e")
    assert obtain_file(empty, tmp_path / "here") == tmp_path / "here" / "values.gz"
    other = Archive("values.gz", (served.as_uri(),), "0" * 32)
    with pytest.raises(UsageError, match=r"could not download values\.gz \(expected MD5 000"):
        obtain_file(other, tmp_path / "elsewhere")
