"""Tables: reports of one protocol beside each other, with paired differences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jaxtyping import Float64
from numpy import ndarray

from fewshot_film.config.protocol import Protocol
from fewshot_film.measure.accuracy import Evaluation
from fewshot_film.measure.audit import Audit
from fewshot_film.measure.paired import ci95, paired
from fewshot_film.runs.report import Report, present_groups


def comparison_json(reports: Sequence[Report]) -> str:
    """The comparison as JSON text."""
    return json.dumps(comparison(reports), indent=1) + "\n"


def comparison(reports: Sequence[Report]) -> dict[str, Any]:
    """Reports of one protocol -> means, and the paired differences of each to the first."""
    first = reports[0].evaluation.accuracies
    rows = []
    for report in reports:
        result = report.evaluation
        row: dict[str, Any] = {"run": report.run, "accuracy": result.accuracy, "ci95": result.ci95}
        row["transductive"] = report.protocol.transductive
        if report is not reports[0]:
            row["difference"] = asdict(paired(first, result.accuracies))
        rows.append(row)
    return {
        "protocol": asdict(reports[0].protocol),
        "environment": reports[0].environment,
        "rows": rows,
        "reports": [json.loads(report.to_json()) for report in reports],
    }


def audit_table(found: Audit) -> str:
    """One row for each way of asking."""
    rows = [[name, percent(accuracy, interval)] for name, accuracy, interval in found.rows()]
    return table([["queries asked", "accuracy (%)"], *rows])


def audit_json(run: str, protocol: Protocol, found: Audit) -> str:
    """An audit as JSON text, with every episode's accuracies."""
    content = {
        "run": run,
        "protocol": asdict(protocol),
        "transductive": found.transductive,
        "changed": found.changed,
        "moved": found.moved,
        "accuracies": {
            "together": found.together.tolist(),
            "one by one": found.one_by_one.tolist(),
            "one class at a time": found.by_class.tolist(),
        },
    }
    return json.dumps(content, indent=1) + "\n"


def protocol_lines(reports: Sequence[Report]) -> list[str]:
    """The protocol on one line, or each run's where their trainings make them differ."""
    lines = [str(report.protocol) for report in reports]
    if len(set(lines)) == 1:
        return lines[:1]
    return [f"{report.run}: {line}" for report, line in zip(reports, lines, strict=True)]


def percent(accuracy: float, interval: float) -> str:
    """0.9812, 0.0031 -> "98.12 ± 0.31"."""
    return f"{100 * accuracy:.2f} ± {100 * interval:.2f}"


def signed(change: float, interval: float, digits: int = 2) -> str:
    """0.0031, 0.0012 -> "+0.31 ± 0.12", in points."""
    return f"{100 * change:+.{digits}f} ± {100 * interval:.{digits}f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first one the head -> a Markdown table that also reads well as text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def group_table(reports: Sequence[Report]) -> str:
    """One row for each kind of task, one column for each run."""
    names = present_groups(reports[0].evaluation)
    rows = [["tasks", "episodes", *(report.label for report in reports)]]
    for name in [*names, "all"] if len(names) > 1 else names:
        cells = [_cell(report.evaluation, name) for report in reports]
        rows.append([name, str(len(_values(reports[0].evaluation, name))), *cells])
    return table(rows)


def difference_table(reports: Sequence[Report]) -> str:
    """Each run's mean, and its paired difference to the first run.

    A transductive accuracy is not to be read beside an inductive one: it has its own column.
    """
    kinds = sorted({report.protocol.transductive for report in reports})
    names = {False: "accuracy (%)", True: "transductive accuracy (%)"}
    rows = [["run", *(names[kind] for kind in kinds), "difference to the first", "p"]]
    for row in comparison(reports)["rows"]:
        change = row.get("difference")
        cells = (
            ["", ""]
            if change is None
            else [signed(change["mean"], change["ci95"]), f"{change['p']:.4f}"]
        )
        mean = percent(row["accuracy"], row["ci95"])
        means = [mean if row["transductive"] == kind else "" for kind in kinds]
        rows.append([row["run"], *means, *cells])
    return table(rows)


def _cell(result: Evaluation, name: str) -> str:
    values = _values(result, name)
    return percent(float(values.mean()), ci95(values))


def _values(result: Evaluation, name: str) -> Float64[ndarray, " episode"]:
    return result.of_group(name) if name in result.groups else result.accuracies
