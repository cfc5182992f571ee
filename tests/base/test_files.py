import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import fewshot_film
from fewshot_film.base.files import METADATA, file_sha256, load_tensors, save_tensors, write_atomic
from fewshot_film.errors import FewShotError, UsageError

PACKAGE = Path(fewshot_film.__file__).parent
ABOUT = {"step": "7", "best": "0.5", "": "", "größe": 'a "b"\n'}


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


def test_equal_content_makes_equal_bytes(tmp_path: Path) -> None:
    """Whatever order it came in; a key for each word, as files had once, does not."""
    tensors = {name: torch.arange(3.0) for name in ("b", "a")}
    turned, about = dict(reversed(tensors.items())), dict(reversed(ABOUT.items()))
    found, plain = set(), set()
    for _ in range(10):
        save_tensors(tmp_path / "x", tensors, ABOUT)
        save_tensors(tmp_path / "y", turned, about)
        found |= {file_sha256(tmp_path / "x"), file_sha256(tmp_path / "y")}
        plain.add(hashlib.sha256(safetensors.torch.save(tensors, ABOUT)).hexdigest())
    assert len(found) == 1
    assert len(plain) > 1


@pytest.mark.slow
def test_equal_content_makes_equal_bytes_in_every_process(tmp_path: Path) -> None:
    """Where strings hash otherwise."""
    code = """if True:
        import pathlib, sys, torch
        from fewshot_film.base.files import save_tensors
        tensors, about = {name: torch.ones(2) for name in set("abcd")}, {n: "1" for n in set("xyz")}
        save_tensors(pathlib.Path(sys.argv[1]), tensors, about)"""
    for seed in "12":
        words = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(words, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    assert file_sha256(tmp_path / "1") == file_sha256(tmp_path / "2")


@pytest.mark.parametrize("about", [{}, ABOUT, {METADATA: "{}"}, {METADATA: "x", "y": "z"}])
def test_any_words_come_back(about: dict[str, str], tmp_path: Path) -> None:
    save_tensors(tmp_path / "x", {}, about)
    assert load_tensors(tmp_path / "x")[1] == about


@pytest.mark.parametrize("about", [None, {}, {"step": "7"}, ABOUT])
def test_files_of_version_0_1_0_are_read(about: dict[str, str] | None, tmp_path: Path) -> None:
    """They hold each word as a key of its own; other programs' files may hold none."""
    (tmp_path / "x").write_bytes(safetensors.torch.save({"a": torch.ones(2)}, about))
    tensors, found = load_tensors(tmp_path / "x")
    assert torch.equal(tensors["a"], torch.ones(2))
    assert found == (about or {})


@pytest.mark.parametrize(
    "words", ["", "{", "7", "[]", "null", '{"step": 7}', '{"a": {}}', "[" * 10**5]
)
def test_words_that_were_not_written_here(words: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(safetensors.torch.save({"a": torch.ones(2)}, {METADATA: words}))
    with pytest.raises(UsageError, match=r"x is damaged or not a checkpoint \(.+\); delete"):
        load_tensors(tmp_path / "x")


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
            found |= {ast.unparse(node), *({node.attr} & {"exec_module"})}
        if isinstance(node, ast.Name):
            found.add(node.id)
    dangerous = {"pickle", "dill", "joblib", "shelve", "marshal", "torch.load", "eval", "exec"}
    return found & (dangerous | {"exec_module"})


EXPECTED = {
    "safe_pickle.py": {"pickle"},  # with an unpickler that knows a few plain names
    "weights.py": {"torch.load"},  # of weights alone, see below
    "own_file.py": {"exec_module"},  # of a file that a person named
}


def test_the_search_finds_loaders() -> None:
    code = "import pickle\nfrom torch import load\nx = torch.load(f)\ny = eval('1')"
    assert loaders(ast.parse(code)) == {"pickle", "torch.load", "eval"}
    assert loaders(ast.parse("spec.loader.exec_module(m)\nmodel.eval()")) == {"exec_module"}


def test_no_file_is_executed_anywhere() -> None:
    """But for files of code that a person named; pickles hold weights and plain names alone."""
    for path in PACKAGE.rglob("*.py"):
        assert loaders(ast.parse(path.read_text())) == EXPECTED.get(path.name, set()), path
    (weights,) = PACKAGE.rglob("weights.py")
    assert weights.read_text().count("torch.load(") == 1
    assert "weights_only=True" in weights.read_text()
    arrays = [path for path in PACKAGE.rglob("*.py") if "np.load(" in path.read_text()]
    assert arrays
    assert all("allow_pickle=False" in path.read_text() for path in arrays)
