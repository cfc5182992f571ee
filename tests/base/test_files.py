import ast
import os
from pathlib import Path

import pytest
import torch

import fewshot_film
from fewshot_film.base.files import load_tensors, save_tensors, write_atomic
from fewshot_film.errors import FewShotError, UsageError

PACKAGE = Path(fewshot_film.__file__).parent


def test_write_atomic(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"one")
    write_atomic(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "x", b"one")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if failing == "fsync" else Path, failing, fail)
    with pytest.raises(FewShotError, match=r"cannot write .*x: No space left on device") as caught:
        write_atomic(tmp_path / "x", b"two")
    assert caught.value.exit_code == 1
    assert (tmp_path / "x").read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("place", ["/proc/x", f"{__file__}/x", "/nowhere/x"])
def test_a_place_that_cannot_be_written(place: str) -> None:
    with pytest.raises(FewShotError, match=f"cannot write {place}: "):
        write_atomic(Path(place), b"content")


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {
        "float": torch.randn(3, 4),
        "half": torch.randn(5).bfloat16(),
        "count": torch.tensor(7),
        "transposed": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    save_tensors(tmp_path / "x", tensors, {"a": "b"})
    found, about = load_tensors(tmp_path / "x")
    assert about == {"a": "b"}
    assert found.keys() == tensors.keys()
    for key, value in tensors.items():
        assert found[key].dtype == value.dtype
        assert torch.equal(found[key], value)


@pytest.mark.parametrize("content", [b"", b"x" * 7, b"\x80\x04K\x01.", b"PK\x03\x04" * 50])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UsageError, match=r"x is damaged or not a checkpoint"):
        load_tensors(tmp_path / "x")
    with pytest.raises(UsageError, match=r"y does not exist"):
        load_tensors(tmp_path / "y")


def loaders(tree: ast.AST) -> set[str]:
    """What a module calls or imports that could execute a file's content."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
        if isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
        if isinstance(node, ast.Name):
            found.add(node.id)
    dangerous = {"pickle", "dill", "joblib", "shelve", "marshal", "torch.load", "eval", "exec"}
    return found & dangerous


def test_the_search_finds_loaders() -> None:
    code = "import pickle\nfrom torch import load\nx = torch.load(f)\ny = eval('1')"
    assert loaders(ast.parse(code)) == {"pickle", "torch.load", "eval"}


def test_no_file_is_executed_anywhere() -> None:
    """Only safe_pickle.py touches pickles, with an unpickler that knows a few plain names."""
    for path in PACKAGE.rglob("*.py"):
        expected = {"pickle"} if path.name == "safe_pickle.py" else set()
        assert loaders(ast.parse(path.read_text())) == expected, path
    arrays = [path for path in PACKAGE.rglob("*.py") if "np.load(" in path.read_text()]
    assert arrays
    assert all("allow_pickle=False" in path.read_text() for path in arrays)
