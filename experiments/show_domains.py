"""Rows of domains, `<domain>-<method>`: a line a domain and test, a column a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rows import Result
from show import Differences, bar_group, png, protocols, signed_by_seed

from fewshot_film.report.tables import percent, table

OWN = "none"
"""The method that the others of a domain are compared with: the network as it is."""
NOTE = (
    "Columns of methods: paired difference to the network as it is, in points, with its 95% "
    "interval over episodes, and by seed. A transductive method sees queries or their domain's "
    "images together, and is not to be compared with an inductive one."
)


def summary(
    results: Sequence[Result],
    differences: Differences,
    columns: Mapping[str, Sequence[str]],
) -> str:
    """Results -> a Markdown table; `columns`: kind of method -> methods, side by side."""
    methods = [(kind, method) for kind, group in columns.items() for method in group]
    lines = [["domain", "test", "as it is (%)", *(_head(*column) for column in methods)]]
    for result in results:
        row, test = result.name
        domain, _, method = row.rpartition(f"-{OWN}")
        if method or not domain:
            continue
        own = percent(result.content["accuracy"], result.content["ci95"])
        changes = [signed_by_seed(differences.get((f"{domain}-{m}", test))) for _, m in methods]
        lines.append([domain, _test(result), own, *changes])
    return "\n\n".join([table(lines), NOTE, protocols(results)])


def _head(kind: str, method: str) -> str:
    return method if kind == "inductive" else f"{method} ({kind})"


def _test(result: Result) -> str:
    protocol = result.content["protocol"]
    return f"{protocol['way']}-way {protocol['shot']}-shot"


def figure(results: Sequence[Result], columns: Mapping[str, Sequence[str]]) -> bytes:
    """A panel for each test: accuracy with its interval, a bar group a domain, a bar a method.

    Dots are the trainings, where there are several.
    """
    from matplotlib.figure import Figure

    methods = {OWN: OWN}
    methods |= {name: _head(kind, name) for kind, group in columns.items() for name in group}
    tests = list(dict.fromkeys(_test(result) for result in results))
    found = {(_test(r), *_parts(r, list(methods))): r.content for r in results}
    drawn = Figure(figsize=(11.0, 0.6 + 3.0 * max(1, len(tests))), layout="constrained", dpi=110)
    axes = drawn.subplots(max(1, len(tests)), squeeze=False)[:, 0]
    width = 0.8 / len(methods)
    for axis, test in zip(axes, tests, strict=False):
        here = list(dict.fromkeys(domain for t, domain, _ in found if t == test))
        for k, (method, label) in enumerate(methods.items()):
            place = width * (k - (len(methods) - 1) / 2)
            rows = {i + place: found.get((test, domain, method)) for i, domain in enumerate(here)}
            bar_group(axis, label, width, {i: row for i, row in rows.items() if row})
        axis.axhline(20, color="0.5", lw=0.8, ls="--")
        axis.set(ylabel=f"{test} accuracy (%)", ylim=(0, 100))
        axis.set_xticks(range(len(here)), here)
    axes[0].legend(ncols=len(methods), frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return png(drawn)


def _parts(result: Result, methods: Sequence[str]) -> tuple[str, str]:
    """A row's name -> (domain, method)."""
    row = result.content["row"]
    method = max((m for m in methods if row.endswith(f"-{m}")), key=len)
    return row.removesuffix(f"-{method}"), method
