from dataclasses import asdict, replace

import numpy as np
import pytest

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol
from fewshot_film.measure.accuracy import Evaluation
from fewshot_film.measure.paired import paired
from fewshot_film.report.tables import comparison, difference_table, group_table, percent, table
from fewshot_film.runs.report import Report

PROTOCOL = Protocol("d", "test", 5, 1, 3, 6, 0, 28, 1)
FIRST = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 0.0])
SECOND = np.array([0.4, 0.6, 0.6, 1.0, 1.0, 0.4])
GROUP, GROUPS = np.array([0, 0, 2, 2, 2, 0]), ("a", "b", "c")


def report(name: str, accuracies: np.ndarray, groups: tuple[str, ...] = GROUPS) -> Report:
    group = GROUP if len(groups) > 1 else GROUP * 0
    return Report(name, Config(), PROTOCOL, Evaluation(accuracies, group, groups), {})


REPORTS = [report("one", FIRST), report("two", SECOND)]


def test_percent() -> None:
    assert percent(0.98123, 0.00311) == "98.12 ± 0.31"


def test_table() -> None:
    assert table([["a", "long"], ["word", "x"]]).splitlines() == [
        "| a    | long |",
        "|------|------|",
        "| word | x    |",
    ]


def test_group_table() -> None:
    head, _, a, c, everything = group_table(REPORTS).splitlines()
    assert head.replace(" ", "") == "|tasks|episodes|one|two|"
    assert a.replace(" ", "").startswith("|a|3|20.00±22.63|46.67±13.07|")
    assert c.replace(" ", "").startswith("|c|3|80.00±22.63|86.67±")
    assert everything.replace(" ", "").startswith("|all|6|50.00±29.94|66.67±")


def test_a_single_group_has_a_single_row() -> None:
    rows = group_table([report("one", FIRST, ("all",))]).splitlines()
    assert len(rows) == 3
    assert rows[2].replace(" ", "") == "|all|6|50.00±29.94|"


def test_comparison() -> None:
    content = comparison(REPORTS)
    assert content["protocol"] == asdict(PROTOCOL)
    first, second = content["rows"]
    assert "difference" not in first
    assert (first["run"], first["accuracy"]) == ("one", pytest.approx(0.5))
    assert second["difference"] == asdict(paired(FIRST, SECOND))
    assert second["difference"]["mean"] == pytest.approx(1 / 6)
    assert [r["accuracies"] for r in content["reports"]] == [FIRST.tolist(), SECOND.tolist()]


def test_difference_table() -> None:
    _, _, first, second = difference_table(REPORTS).splitlines()
    assert first.replace(" ", "") == "|one|50.00±29.94|||"
    change = paired(FIRST, SECOND)
    cells = f"|+16.67±{100 * change.ci95:.2f}|{change.p:.4f}|"
    assert second.replace(" ", "").endswith(cells)


def test_a_loss_has_a_minus() -> None:
    assert "-16.67" in difference_table(REPORTS[::-1])


def test_a_transductive_accuracy_stands_apart_and_is_named() -> None:
    together = replace(REPORTS[1], protocol=replace(PROTOCOL, transductive=True))
    head, _, first, second = difference_table([REPORTS[0], together]).splitlines()
    assert head.replace(" ", "").startswith("|run|accuracy(%)|transductiveaccuracy(%)|")
    assert first.replace(" ", "") == "|one|50.00±29.94||||"
    assert second.replace(" ", "").startswith("|two||66.67±")
    assert "| two (transductive)" in group_table([REPORTS[0], together])
    rows = comparison([REPORTS[0], together])["rows"]
    assert [row["transductive"] for row in rows] == [False, True]
