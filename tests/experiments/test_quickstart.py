"""The quickstart runs from end to end, twice, and writes what it says."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))
import quickstart

pytestmark = pytest.mark.slow


def test_quick_run_writes_tables_figures_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = quickstart.Options(
        seeds=(3,), runs=tmp_path / "runs", results=tmp_path / "results", device="cpu", quick=True
    )
    assert quickstart.main(options) == 0
    first = capsys.readouterr().out
    comparison = json.loads((tmp_path / "results/comparison-3.json").read_text())
    assert [row["run"].split("/")[-1] for row in comparison["rows"]] == [
        "none-3",
        "film-3",
        "none-3@adabn",
    ]
    assert comparison["protocol"]["dataset"] == "glyphs"
    assert (tmp_path / "results/comparison-3.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "results/table.md").read_text()
    assert "all which-attribute" in table
    assert "all characters" in table
    assert table.strip() in first

    weights = (tmp_path / "runs/quick/film-3/best.safetensors").read_bytes()
    assert quickstart.main(options) == 0  # finished runs are left as they are
    assert (tmp_path / "runs/quick/film-3/best.safetensors").read_bytes() == weights
    assert (tmp_path / "results/table.md").read_text() == table

    assert quickstart.main(replace(options, seeds=(0,))) == 0
    table = (tmp_path / "results/table.md").read_text()
    heads = [line for line in table.splitlines() if line.startswith("Seed")]
    assert [head.split(",")[0] for head in heads] == ["Seed 0", "Seed 3"], "seeds are added"


def test_summary_by_hand() -> None:
    """Two kinds of task, means and paired differences."""
    groups = ["which size", "which size", "characters, solid"]
    reports = [
        {"group": groups, "accuracies": values}
        for values in ([0.2, 0.4, 0.9], [0.8, 0.8, 1.0], [0.1, 0.3, 0.9])
    ]
    text = quickstart.summary({"reports": reports})
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    by_name = {row[0]: row for row in cells}
    assert by_name["which size"][1:5] == ["2", "30.00 ± 19.60", "80.00 ± 0.00", "20.00 ± 19.60"]
    assert by_name["all which-attribute"][5] == "+50.0 ± 19.6"
    assert by_name["all characters"][5] == "+10.0 ± 0.0"
