"""Rows of a recipe as a table and as a figure."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rows import Result

from fewshot_film.base.provenance import NO_BFLOAT16
from fewshot_film.config.protocol import Protocol
from fewshot_film.report.tables import percent, signed, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTE = (
    "Intervals and p of a paired difference are over episodes, for these trainings; those over "
    "trainings are Student's."
)

Differences = Mapping[tuple[str, str], dict[str, Any]]
"""(row, test) -> its paired difference to another row."""


def summary(results: Sequence[Result], differences: Differences) -> str:
    """Results -> a Markdown table, and the protocol of every test."""
    head = ["row", "test", "accuracy (%)", "by seed (%)", "trained on", "validated on (%)"]
    rows = [[*head, "minutes a seed", "paired difference", "over trainings"]]
    for result in results:
        rows.append([*_cells(result), *_change(differences.get(result.name))])
    text = table(rows if differences else [row[:-2] for row in rows])
    if differences:
        text += f"\n\n{NOTE}"
    return "\n\n".join([text, *_in_float32(results), protocols(results)])


def _in_float32(results: Sequence[Result]) -> list[str]:
    """What would have been trained in bfloat16, on another device; a sentence, or nothing."""
    found = {}
    for content in (result.content for result in results):
        seeds = [str(s["seed"]) for s in content["seeds"] if not _had_bfloat16(s["trained"])]
        if seeds and content["config"]["precision"] == "bfloat16":
            found[content["row"]] = f"{content['row']} (of seed {', '.join(seeds)})"
    if not found:
        return []
    return [f"Trained in float32, on a device without bfloat16: {'; '.join(found.values())}."]


def protocols(results: Sequence[Result]) -> str:
    """Every protocol among the results, once each, as a list; a row's name tells its domain."""
    found = (Protocol(**result.content["protocol"]) for result in results)
    named = (replace(p, domains="the row's domain" if p.domains else "") for p in found)
    return "\n".join(f"- {line}" for line in dict.fromkeys(map(str, named)))


def signed_by_seed(change: dict[str, Any] | None) -> str:
    """A paired difference in points with its interval, and each seed's where there are several."""
    if change is None:
        return ""
    text = signed(change["mean"], change["ci95"], 1)
    seeds = [f"{100 * value:+.1f}" for value in change["by_seed"].values()]
    return f"{text} ({', '.join(seeds)})" if len(seeds) > 1 else text


def png(drawn: Figure) -> bytes:
    """A figure -> the bytes of its file."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png")
    return buffer.getvalue()


def bar_group(
    axis: Axes, label: str, width: float, contents: Mapping[float, Mapping[str, Any]]
) -> None:
    """place -> a row's content, drawn as bars of one colour.

    Bars are means with their 95% intervals, dots the trainings where there are several.
    """
    heights = [100 * content["accuracy"] for content in contents.values()]
    intervals = [100 * content["ci95"] for content in contents.values()]
    axis.bar(list(contents), heights, width, yerr=intervals, capsize=1, label=label)
    for place, content in contents.items():
        trained = [100 * seed["accuracy"] for seed in content["seeds"]]
        if len(trained) > 1:
            axis.plot([place] * len(trained), trained, "k.", ms=3)


def _cells(result: Result) -> list[str]:
    content, seeds = result.content, result.content["seeds"]
    protocol = content["protocol"]
    return [
        content["row"],
        f"{protocol['way']}-way {protocol['shot']}-shot",
        percent(content["accuracy"], content["ci95"]),
        ", ".join(f"{100 * s['accuracy']:.2f}" for s in seeds),
        _trained_on(content),
        _validated_on(content),
        ", ".join(f"{s['training_seconds'] / 60:.1f}" for s in seeds),
    ]


def _trained_on(content: Mapping[str, Any]) -> str:
    if (shot := content["protocol"]["trained_shot"]) is None:
        return "all classes"
    return f"{content['config']['way']}-way {shot}-shot"


def _had_bfloat16(trained: Sequence[Mapping[str, str]]) -> bool:
    return all(NO_BFLOAT16 not in sitting["device"] for sitting in trained)


def _validated_on(content: Mapping[str, Any]) -> str:
    config = content["config"]
    seeds = ", ".join(f"{100 * s['validation_accuracy']:.1f}" for s in content["seeds"])
    return f"{config['test_way']}-way {config['shot']}-shot: {seeds}"


def _change(change: dict[str, Any] | None) -> list[str]:
    if change is None:
        return ["", ""]
    difference = signed(change["mean"], change["ci95"])
    text = f"{difference} to {change['to']}, p = {change['p']:.4f}"
    seeds = ", ".join(f"{100 * value:+.2f}" for value in change["by_seed"].values())
    over = change["ci95_trainings"]
    return [text, seeds if over is None else f"± {100 * over:.2f} ({seeds})"]


def figure(results: Sequence[Result]) -> bytes:
    """Results -> a PNG: validation accuracy while training, and the tests with their intervals."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11.0, 1.6 + 0.45 * max(6, len(results))), layout="constrained", dpi=110)
    curves, tests = drawn.subplots(1, 2)
    trainings = {result.content["row"]: result for result in reversed(results)}
    styles = {
        row: {"color": f"C{i % 10}", "ls": ("-", "--", ":")[i // 10 % 3]}
        for i, row in enumerate(reversed(trainings))
    }
    for row, result in trainings.items():
        _draw_curves(curves, result, styles[row])
    for place, result in enumerate(results):
        _draw_test(tests, result, place, styles[result.content["row"]]["color"])
    curves.set(xlabel="step", ylabel="accuracy on validation classes (%)")
    curves.legend(frameon=False, fontsize=8)
    tests.set_yticks(range(len(results)), [", ".join(result.name) for result in results])
    tests.invert_yaxis()
    split = results[0].content["protocol"]["split"]
    tests.set(xlabel=f"accuracy on {split} episodes (%), 95% interval, each seed")
    tests.grid(axis="x", alpha=0.3)
    return png(drawn)


def _draw_curves(axis: Any, result: Result, style: Mapping[str, str]) -> None:
    for k, seed in enumerate(result.content["seeds"]):
        steps = [step for step, _ in seed["validation"]]
        values = [100 * accuracy for _, accuracy in seed["validation"]]
        name = "" if k else result.content["row"]
        axis.plot(steps, values, **style, lw=1, label=name)


def _draw_test(axis: Any, result: Result, place: int, colour: str) -> None:
    content = result.content
    for seed in content["seeds"]:
        axis.plot(100 * seed["accuracy"], place, "o", color=colour, alpha=0.4, ms=4)
    mean, interval = 100 * content["accuracy"], 100 * content["ci95"]
    axis.errorbar(mean, place, xerr=interval, fmt="|", color=colour, capsize=3)
