import os
from pathlib import Path

# Before torch, which reads both; the package sets the first too. Children inherit the second: the
# cores are shared by pytest's workers, and threads that wait for each other take ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import official
import pytest
import running
import torch
from hypothesis import settings
from jaxtyping import config as jaxtyping_config

pytest.register_assert_rewrite("laws")  # before a test imports some of them
settings.register_profile("fewshot_film", deadline=None)  # a busy machine makes any test slow
settings.load_profile("fewshot_film")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a person runs it: in the tests, types of arguments are checked before anything else."""
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run on glyphs, with seed 0; tests must not change it."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    assert running.train(out) == 0
    return out


@pytest.fixture(scope="session")
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run as its process left it that ended after 4 of 6 steps, one after a checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        return running.unfinished(tmp_path_factory.mktemp("runs") / "stopped", patch, after=4)


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be spoiled and to go on with."""
    return running.copy(stopped_once, tmp_path / "run")


PACS = ("art_painting", "cartoon", "photo", "sketch")
OBJECTS = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")


@pytest.fixture(scope="session")
def several_domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with small digits and a small PACS."""
    root = official.digits(tmp_path_factory.mktemp("domains"), train=11, test=3)
    official.domain_folders(root / "pacs", PACS, OBJECTS)
    return root


@pytest.fixture(scope="session")
def on_mnist(several_domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run that classifies MNIST's digits; tests must not change it."""
    out = tmp_path_factory.mktemp("runs") / "mnist"
    words = ["--train-domains", "mnist", "--data-root", several_domains]
    assert running.train(out, *words, **running.CLASSIFY, dataset="digits") == 0
    return out


@pytest.fixture(scope="session")
def on_pacs(several_domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run that classifies PACS's pictures, but for the sketches."""
    out = tmp_path_factory.mktemp("runs") / "pacs"
    words = ["--data-root", several_domains]
    assert running.train(out, *words, **running.CLASSIFY, dataset="pacs") == 0
    return out
