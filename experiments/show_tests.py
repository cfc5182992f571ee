"""Rows put to several tests: a table whose longer side runs down the page, and a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rows import Result
from show import Differences, png, protocols

from fewshot_film.config.protocol import Protocol
from fewshot_film.report.tables import percent, signed, table

NOTE = (
    "In %, with 95% intervals over tasks; in brackets the paired difference to the row that is "
    "named beside a row. Where a row has several seeds, figures are means over them."
)


def summary(results: Sequence[Result], differences: Differences) -> str:
    """Results -> a Markdown table of rows and tests, and the protocol of every test."""
    names, tests = _axes(results)
    found = {result.name: result for result in results}
    lines = [["tasks", *(_head(name, list(tests), differences) for name in names)]]
    for test, label in tests.items():
        cells = (_cell(found.get((name, test)), differences) for name in names)
        lines.append([label, *cells])
    if len(names) > len(tests):
        lines = [list(column) for column in zip(*lines, strict=True)]
    seeds = (f"{name}: {_seeds(results, name)}" for name in names)
    return "\n\n".join([table(lines), NOTE, f"Seeds: {'; '.join(seeds)}.", protocols(results)])


def figure(results: Sequence[Result]) -> bytes:
    """Results -> a PNG: a line for each of the longer side, a colour for each of the other."""
    from matplotlib.figure import Figure

    names, tests = _axes(results)
    sides = ({name: name for name in names}, tests)
    lines, colours = sides if len(names) > len(tests) else reversed(sides)
    which = 0 if lines is sides[0] else 1
    drawn = Figure(figsize=(10.0, 1.4 + 0.34 * len(lines)), layout="constrained", dpi=110)
    axis = drawn.subplots()
    offsets = 0.6 * ((np.arange(len(colours)) + 0.5) / len(colours) - 0.5)
    for number, (key, offset) in enumerate(zip(colours, offsets, strict=True)):
        found = [r for r in results if r.name[1 - which] == key]
        places = [list(lines).index(r.name[which]) + offset for r in found]
        means = [100 * r.content["accuracy"] for r in found]
        errors = [100 * r.content["ci95"] for r in found]
        label, colour = colours[key], f"C{number % 10}"
        axis.errorbar(means, places, xerr=errors, fmt="o", ms=4, color=colour, label=label)
    axis.set_yticks(range(len(lines)), list(lines.values()))
    axis.invert_yaxis()
    axis.set(xlabel="accuracy (%), 95% interval over tasks")
    axis.grid(axis="x", alpha=0.3)
    drawn.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return png(drawn)


def _axes(results: Sequence[Result]) -> tuple[list[str], dict[str, str]]:
    """The rows that there are, and the tests with what they are of, in their order."""
    rows = list(dict.fromkeys(result.name[0] for result in results))
    return rows, {r.name[1]: _tasks(Protocol(**r.content["protocol"])) for r in results}


def _tasks(protocol: Protocol) -> str:
    one_domain = len(protocol.tested_domains) == 1
    where = f"{protocol.dataset}, {protocol.domains}" if one_domain else protocol.dataset
    return f"{where}: {protocol.way}-way {protocol.shot}-shot"


def _head(name: str, tests: Sequence[str], differences: Differences) -> str:
    bases = [differences[name, test]["to"] for test in tests if (name, test) in differences]
    return f"{name} (to {bases[0]})" if bases else name


def _cell(result: Result | None, differences: Differences) -> str:
    if result is None:
        return ""
    accuracy = percent(result.content["accuracy"], result.content["ci95"])
    change = differences.get(result.name)
    if change is None:
        return accuracy
    return f"{100 * result.content['accuracy']:.2f} ({signed(change['mean'], change['ci95'], 1)})"


def _seeds(results: Sequence[Result], name: str) -> str:
    found = {seed for result in results if result.name[0] == name for seed in result.seeds}
    return ", ".join(map(str, sorted(found)))
