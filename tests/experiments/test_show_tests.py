"""Tables of rows and tests: every figure stands where its row and its test meet."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))
import show_tests
from rows import Result

from fewshot_film.config.catalog import default_config
from fewshot_film.config.protocol import Protocol


def result(row: int, test: int) -> Result:
    """Row number `row` under test number `test`, which tell its accuracy."""
    protocol = Protocol.of(default_config(shot=1 + test))
    content = {
        "row": f"row{row}",
        "test": f"test{test}",
        "accuracy": (10 * row + test) / 100,
        "ci95": 0.01,
        "protocol": asdict(protocol),
        "seeds": [{"seed": 0}],
    }
    return Result(content, np.zeros((1, 1)))


@pytest.mark.parametrize(("rows", "tests"), [(4, 2), (2, 4), (3, 3)])
def test_the_longer_side_runs_down_the_page(rows: int, tests: int) -> None:
    found = [result(row, test) for row in range(rows) for test in range(tests)]
    change = {"to": "row0", "mean": 0.05, "ci95": 0.01}
    text = show_tests.summary(found, {("row1", f"test{n}"): change for n in range(tests)})
    cells = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    head, _, *lines = [[cell.strip() for cell in line] for line in cells]
    assert len(lines) == max(rows, tests)
    assert len(head) - 1 == min(rows, tests)
    of_rows = rows > tests
    names = [line[0] for line in lines] if of_rows else head[1:]
    assert names[:2] == ["row0", "row1 (to row0)"]
    for row in range(rows):
        for test in range(tests):
            cell = lines[row][1 + test] if of_rows else lines[test][1 + row]
            assert cell.startswith(f"{10 * row + test:.2f}")
            assert ("(+5.0 ± 1.0)" in cell) == (row == 1)
