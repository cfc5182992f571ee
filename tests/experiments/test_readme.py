"""README and the pages of results: their tables are today's, their Python and commands work."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import fewshot_film as ff
from fewshot_film.cli.main import parse

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "experiments"))
from readme import PAGES, filled

TEXT = (ROOT / "README.md").read_text()
DOCUMENTS = sorted({*PAGES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(language: str) -> list[str]:
    """The fenced blocks of README in a language; without one, what is typed in a terminal."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def block(word: str) -> str:
    """The Python that has this word in it."""
    (found,) = [text for text in blocks("python") if word in text]
    return found


def ran(code: str, **names: Any) -> dict[str, Any]:
    """What the code leaves."""
    exec("import torch\nimport fewshot_film as ff\n" + code, names)
    return names


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tables_are_those_of_the_results(page: Path) -> None:
    assert filled(page.read_text(), ROOT) == page.read_text()


def test_a_table_that_is_out_of_date_is_found() -> None:
    old = TEXT.replace("79.63", "80.63")
    assert old != TEXT
    assert filled(old, ROOT) == TEXT


@pytest.mark.parametrize("page", DOCUMENTS, ids=named)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 160


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for text in blocks("") for line in text.splitlines()]
    return [line for line in lines if line.startswith("fewshot-film")]


def test_there_are_commands() -> None:
    assert len(commands()) > 5


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    words = shlex.split(command)[1:]
    assert type(parse(words)).__name__.lower() == words[0]


def test_the_first_minute_goes_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped model, whatever is asked of the same images."""
    code = block("ff.demo.glyphs")
    assert len([line for line in code.splitlines() if line]) == 6 - 1, "six lines, `import` apart"
    for asked in ("slant", "rendering"):
        names = ran(code.replace('"slant"', f'"{asked}"', 1))
        found = names["task"].classify(names["queries"])
        right = sum(a == b for a, b in zip(found, names["answers"], strict=True))
        assert right >= 3, (asked, found)
        shown = capsys.readouterr().out
        assert str(names["answers"]) in shown
        assert "█" in shown


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No complete tensor")  # of weights that lie as NHWC, on a CPU
def test_the_extractor_is_exported_as_printed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program loads the file without this library, and finds the same features."""
    monkeypatch.chdir(tmp_path)
    images = torch.rand(6, 1, 28, 28)
    adapt = block("more_images").replace("runs/my_pictures-film-0", str(trained))
    names = ran(adapt, images=images, labels=list("aabbcc"), more_images=images[:4])
    ran(block("torch.export"), task=names["task"], images=images)
    torch.save((images[:4], names["features"]), "expected.pt")
    reader = """
import sys, torch
images, expected = torch.load("expected.pt")
found = torch.export.load("task.pt2").module()(images)
torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
assert "fewshot_film" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", reader], check=True)


def test_the_parts_go_together_as_printed() -> None:
    model = ran(block("ff.SharedGenerator"))["model"]
    assert type(model).__name__ == "FewShotClassifier"
    images = torch.rand(6, 3, 84, 84)
    assert len(model.adapt(images, list("aabbcc")).classify(images)) == 6


def test_a_mechanism_of_ones_own_goes_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a network, and by its name with an option once it is in its family."""
    shift = ran(block("class Shift"))["Shift"]
    h, beta = torch.rand(2, 3, 4, 5, 5), torch.rand(2, 4)
    moved = h + 2.0 * beta.view(2, 1, 4, 1, 1)
    torch.testing.assert_close(shift(4, strength=2.0)(h, {"beta": beta}), moved)
    monkeypatch.setitem(ff.conditioning.CONDITIONINGS.parts, "shift", shift)
    model = ff.build(ff.Config(conditioning="shift:strength=2", extractor="conv4:width=4"))
    site = model.features.extractor.sites()["block1"]
    assert site.conditioning.strength == 2.0
