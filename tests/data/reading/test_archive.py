import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from fewshot_film.data.reading.archive import extract, obtain
from fewshot_film.data.reading.download import Archive, file_md5
from fewshot_film.errors import UsageError

GOOD = {"set/a/1.txt": b"one", "set/b/2.txt": b"two" * 1000}


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def make_tar(path: Path, members: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for info in extra:
            file.addfile(info)
    return path


def make(path: Path, members: dict[str, bytes]) -> Path:
    return (make_zip if path.suffix == ".zip" else make_tar)(path, members)


def assert_refused(archive: Path, named: str) -> None:
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(UsageError) as caught:
        extract(archive, archive.parent / "set")
    assert named in str(caught.value)
    assert sorted(archive.parent.rglob("*")) == before, "something was left behind"


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_the_files_are_those_packed(tmp_path: Path, name: str) -> None:
    extract(make(tmp_path / name, GOOD), tmp_path / "set")
    assert {p: (tmp_path / p).read_bytes() for p in GOOD} == GOOD
    assert {p.name for p in tmp_path.iterdir()} == {name, "set"}


@pytest.mark.parametrize("archive", ["set.zip", "set.tar.gz"])
@pytest.mark.parametrize(
    "evil", ["/tmp/evil", "../evil", "set/../../evil", "..\\evil", "C:\\evil", "C:evil"]
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, archive: str, evil: str) -> None:
    assert_refused(make(tmp_path / archive, GOOD | {evil: b"evil"}), repr(evil))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"3"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("set/link")
    info.type, info.linkname = kind, "/etc/passwd"
    assert_refused(make_tar(tmp_path / "set.tar.gz", GOOD, info), "'set/link'")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    assert_refused(tmp_path / "set.zip", "'set/link'")


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, name: str) -> None:
    archive = make(tmp_path / name, GOOD)
    archive.write_bytes(archive.read_bytes()[:-40])
    assert_refused(archive, "is damaged")


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "set.zip", GOOD)
    archive.write_bytes(archive.read_bytes().replace(b"twotwo", b"twotwp", 1))
    assert_refused(archive, "is damaged")


def test_another_archive_is_told_apart(tmp_path: Path) -> None:
    assert_refused(make_zip(tmp_path / "x.zip", {"other/1.txt": b""}), "no folder 'set'")


def test_a_folder_that_is_there_is_used_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert obtain(Archive("set.zip", (), "0"), tmp_path / "set") == tmp_path / "set"


def test_obtaining_downloads_and_unpacks(tmp_path: Path) -> None:
    served = make_zip(tmp_path / "served.zip", GOOD)
    archive = Archive("set.zip", (served.as_uri(),), file_md5(served))
    folder = obtain(archive, tmp_path / "root" / "deep" / "set")
    assert (folder / "a" / "1.txt").read_bytes() == b"one"
