"""README: its tables are those of results/, its Python and its commands work as printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import fewshot_film as ff
from fewshot_film.cli.main import parse
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import AdaptiveBatchNorm

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "experiments"))
from readme import filled

TEXT = (ROOT / "README.md").read_text()


def test_tables_are_those_of_the_results() -> None:
    assert filled(TEXT, ROOT) == TEXT


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands() -> list[str]:
    block = TEXT.split("## On the command line")[1].split("```")[1]
    return [line.split("#")[0].strip() for line in block.strip().splitlines()]


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    program, *words = shlex.split(command)
    assert program == "fewshot-film"
    assert type(parse(words)).__name__.lower() == words[0]


@pytest.mark.filterwarnings("ignore:No complete tensor")  # of weights that lie as NHWC, on a CPU
def test_the_extractor_is_exported_as_printed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program loads the file without this library, and finds the same features."""
    monkeypatch.chdir(tmp_path)
    images = torch.rand(6, 1, 28, 28)
    task = ff.load(trained, "cpu").adapt(images, list("aabbcc"))
    block = TEXT.split("```python")[2].split("```")[0]
    exec("import torch\n" + block, {"task": task, "images": images})
    torch.save((images, task.extractor(images)), "expected.pt")
    reader = """
import sys, torch
images, expected = torch.load("expected.pt")
found = torch.export.load("task.pt2").module()(images[:4])
torch.testing.assert_close(found, expected[:4], rtol=1e-4, atol=1e-5)
assert "fewshot_film" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", reader], check=True)


def test_the_parts_go_together_as_printed() -> None:
    block = TEXT.split("```python")[3].split("```")[0]
    names: dict[str, object] = {}
    exec("import fewshot_film as ff\n" + block, names)
    assert type(names["model"]).__name__ == "FewShotClassifier"


def test_the_baseline_goes_as_printed(trained: Path) -> None:
    block = TEXT.split("## Adaptive batch norm, the baseline")[1].split("```")[1]
    code = block.removeprefix("python").replace("runs/quickstart/film-0", str(trained))
    names: dict[str, object] = {
        "network": nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)),
        "batches": [torch.rand(64, 1, 28, 28)],
        "images": torch.rand(70, 1, 28, 28),
    }
    exec("import fewshot_film as ff\n" + code, names)
    for name in ("on_support", "on_domain", "both"):
        model = names[name]
        assert isinstance(model, FewShotClassifier)
        assert isinstance(model.features.adapter, AdaptiveBatchNorm)
