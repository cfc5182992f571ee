from pathlib import Path

import pytest
import torch

from fewshot_film.config.build import build
from fewshot_film.config.config import Config
from fewshot_film.config.stored import from_json, to_json
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import EXTRACTORS, trust
from fewshot_film.parts.extractor.pretrained import own_file
from fewshot_film.parts.extractor.pretrained.own_file import from_file, split

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


# --- files that only a config names


CODE = """
from pathlib import Path
from torch import nn
from fewshot_film.parts.extractor import Preprocessing

Path(__file__).with_name("ran").touch()

def make():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    return network, Preprocessing(mean=(0.0,), std=(1.0,), size=16)

def other():
    return nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5)), make()[1]
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that leaves a trace beside itself when it is run; nothing is trusted yet."""
    monkeypatch.setattr(own_file, "_TRUSTED", set())
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def has_run(code: Path) -> bool:
    return code.with_name("ran").exists()


def test_a_file_that_only_a_config_names_is_not_run(code: Path) -> None:
    """Neither where the config is read, nor where it is built."""
    config = from_json(to_json(Config(extractor=f"file:{code}:make", size=16)), "a run")
    with pytest.raises(UsageError, match=r"mine.py holds code, .*call fewshot_film.extractor.trus"):
        build(config)
    assert not has_run(code)


def test_a_trusted_file_is_run(code: Path) -> None:
    trust(code)
    assert not has_run(code)
    made = build(Config(extractor=f"file:{code}:make,sites=all", size=16))
    assert has_run(code)
    assert list(made.features.extractor.sites()) == ["1"]


def test_a_file_is_trusted_by_whichever_way_it_is_named(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(code.parent)
    trust("mine.py")
    for name in (str(code), "mine.py", "./mine.py"):
        own_file.check_trusted(Path(name))
    Path("link.py").symlink_to(code)
    own_file.check_trusted(Path("link.py"))
    Path("folder").mkdir()
    Path("folder/mine.py").write_text(CODE)
    with pytest.raises(UsageError, match=r"folder/mine.py holds code"):
        own_file.check_trusted(Path("folder/mine.py"))


def test_a_link_that_points_elsewhere_is_no_longer_trusted(code: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.py", tmp_path / "other.py"
    link.symlink_to(code)
    trust(link)
    link.unlink()
    other.write_text(CODE)
    link.symlink_to(other)
    with pytest.raises(UsageError, match=r"link\.py holds code"):
        own_file.check_trusted(link)


def test_the_function_may_be_left_out(code: Path) -> None:
    trust(code)
    for path, features in ((code, 4), (f"{code}:make", 4), (f"{code}:other", 5)):
        made = EXTRACTORS.read(f"file:{path}")
        assert made(conditioning=FiLM).feature_dim(1, 16) == features
    assert split("a/b.py:net") == (Path("a/b.py"), "net")
    assert split("C:\\a\\b.py") == (Path("C:\\a\\b.py"), "make")


@pytest.mark.parametrize("path", ["make", "mine.txt:make", "timm:resnet18", "lite0", ""])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=f"`path` is '{path}'; name a file and its function, as"):
        split(path)
