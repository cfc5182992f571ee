import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fewshot_film import __version__
from fewshot_film.base import provenance
from fewshot_film.base.provenance import environment


def test_environment() -> None:
    found = environment(torch.device("cpu"))
    assert found["fewshot_film"] == __version__
    assert found["torch"] == torch.__version__
    assert found["device"].startswith(f"cpu ({torch.get_num_threads()} threads")
    assert found["commit"]


@pytest.mark.parametrize(("computes", "end"), [(True, "threads)"), (False, "no bfloat16)")])
def test_what_a_device_cannot_do(computes: bool, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "has_bfloat16", lambda _device: computes)
    assert environment(torch.device("cpu"))["device"].endswith(end)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package's place in a folder of its own."""
    file = tmp_path / "fewshot_film" / "base" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("first\n")
    monkeypatch.setattr(provenance, "__file__", str(file))
    yield tmp_path
    provenance._commit.cache_clear()


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit() -> str:
    provenance._commit.cache_clear()
    return environment(torch.device("cpu"))["commit"]


def test_the_commit_and_whether_files_differ_from_it(checkout: Path) -> None:
    assert commit() == "release"
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    head = git(checkout, "rev-parse", "--short=12", "HEAD")
    assert commit() == head
    (checkout / "README.md").write_text("beside the package\n")
    assert commit() == head
    new = checkout / "experiments.py"
    new.write_text("not committed\n")
    assert commit() == head + "+"
    new.unlink()
    (checkout / "fewshot_film" / "base" / "provenance.py").write_text("second\n")
    assert commit() == head + "+"


def test_the_commit_is_the_one_of_the_first_look(checkout: Path) -> None:
    """A checkout may move on while a training runs."""
    first = commit()
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    assert environment(torch.device("cpu"))["commit"] == first
    assert commit() != first


def test_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / ".git").mkdir()
    assert commit() == "unknown"
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"
