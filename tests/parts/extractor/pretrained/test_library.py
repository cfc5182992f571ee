import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.library import library

CPU = r'"torchvision==0\.28\.\*" --index-url https://download\.pytorch\.org/whl/cpu$'


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported, beside torch 2.13 for CPUs."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_installed_one_is_imported(installed: Path) -> None:
    (installed / "zoo_of_tests.py").write_text("answer = 42")
    assert library("zoo_of_tests").answer == 42


def test_a_missing_one_is_answered_with_the_command(installed: Path) -> None:
    del installed
    with pytest.raises(UsageError, match=r"^nozoo is not installed: pip install nozoo$"):
        library("nozoo")


def test_what_it_needs_is_named(installed: Path) -> None:
    (installed / "needy.py").write_text("import nolib")
    with pytest.raises(
        UsageError, match=r"needs nolib, which is not installed: pip install nolib$"
    ):
        library("needy")


def test_torchvision_comes_in_the_release_and_build_of_torch(installed: Path) -> None:
    (installed / "needy.py").write_text("raise ModuleNotFoundError(name='torchvision')")
    with pytest.raises(UsageError, match=f"needs torchvision, .*: pip install {CPU}"):
        library("needy")


def test_a_build_without_a_name_takes_the_default_index(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", "2.4.1")
    (installed / "needy.py").write_text("raise ModuleNotFoundError(name='torchvision')")
    with pytest.raises(UsageError, match=r'pip install "torchvision==0\.19\.\*"$'):
        library("needy")


def test_a_torchvision_for_cuda_beside_a_torch_for_cpus(installed: Path) -> None:
    """As PyPI's torchvision 0.28.0 fails beside torch 2.13.0+cpu."""
    words = "operator torchvision::nms does not exist"
    (installed / "broken.py").write_text(f"raise RuntimeError({words!r} + chr(10) + 'more')")
    with pytest.raises(UsageError, match=rf"\({words}\).*--force-reinstall --no-deps {CPU}"):
        library("broken")
