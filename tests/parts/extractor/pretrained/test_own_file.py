from pathlib import Path

import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.own_file import from_file

NETWORK = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing

@dataclass
class Sizes:
    features: int = 7

def make():
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, Sizes().features))
    return network, Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3, size=2, fixed=True)

def bare():
    return nn.Flatten()

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(NETWORK)
    return path


def test_a_files_function_makes_the_network(file: Path) -> None:
    net = from_file(file)
    assert net.module(torch.zeros(1, 3, 2, 2)).shape == (1, 7)
    assert not net.module.training
    assert net.preprocessing.size == 2
    assert net.source == f"{file}:make"


@pytest.mark.parametrize("name", ["other", "number"])
def test_a_function_that_is_not_there_is_named(file: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"mine.py defines no function '{name}'; write one"):
        from_file(file, name)


def test_how_the_network_wants_its_images_is_asked_for(file: Path) -> None:
    with pytest.raises(UsageError, match=r"bare\(\) of .*mine.py gave Flatten; return \(network, "):
        from_file(file, "bare")


@pytest.mark.parametrize("name", ["nothing.py", "words.txt"])
def test_a_file_that_is_none_of_pythons_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "words.txt").write_text("make")
    with pytest.raises(UsageError, match=f"{name} is not a Python file; name one that ends in"):
        from_file(tmp_path / name)


def test_what_a_file_raises_is_its_authors_to_see(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        from_file(path)
