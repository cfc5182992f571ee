"""Results of a recipe: a JSON file for each row and test, its episodes beside it, table, figure."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from fewshot_film.config import Config, from_json
from fewshot_film.errors import UsageError
from fewshot_film.evaluation import ci95, paired
from fewshot_film.files import write_atomic
from fewshot_film.report import Report
from fewshot_film.run import Run
from fewshot_film.tables import percent, table


@dataclass(frozen=True, eq=False)
class Result:
    """A row under one test: `content` as in its JSON, and accuracies (seed, episode)."""

    content: dict[str, Any]
    accuracies: ndarray

    @property
    def seeds(self) -> list[int]:
        return [seed["seed"] for seed in self.content["seeds"]]

    @property
    def episodes(self) -> ndarray:
        """Each episode's accuracy, the mean over seeds."""
        return self.accuracies.mean(0)


def add(folder: Path, row: str, test: str, report: Report, run: Run) -> None:
    """Put one seed's test into the files of its row, in place of an earlier one of that seed."""
    old, seed = read(folder, row, test), report.config.seed
    seeds = {s["seed"]: s for s in (old.content["seeds"] if old else [])}
    accuracies = dict(zip(seeds, old.accuracies, strict=True)) if old else {}
    seeds[seed], accuracies[seed] = _about(run, report), report.evaluation.accuracies
    order = sorted(seeds)
    values = np.stack([accuracies[s] for s in order])
    content = json.loads(report.to_json())
    for name in ("run", "accuracies", "group", "groups", "trained"):
        del content[name]
    content["config"].pop("seed")
    content |= {"accuracy": float(values.mean()), "ci95": ci95(values.mean(0))}
    content = {"row": row, "test": test, **content, "seeds": [seeds[s] for s in order]}
    _write(folder / f"{row}-{test}", content, values)


def _about(run: Run, report: Report) -> dict[str, Any]:
    """What one seed's run reached, how, and where."""
    checks = [(m["step"], m["val_accuracy"]) for m in run.metrics() if "val_accuracy" in m]
    return {
        "seed": report.config.seed,
        "accuracy": report.evaluation.accuracy,
        "ci95": report.evaluation.ci95,
        "validation_accuracy": run.validation_accuracy(),
        "validation": checks,
        "training_seconds": round(run.seconds()),
        "trained": list(report.trained),
    }


def _write(stem: Path, content: dict[str, Any], accuracies: ndarray) -> None:
    """Accuracies as counts of correct queries, which is what they are."""
    protocol = content["protocol"]
    queries = protocol["way"] * protocol["query"]
    buffer = io.BytesIO()
    correct = (accuracies * queries).round().astype(np.uint16)
    np.savez_compressed(buffer, correct=correct, queries=np.uint16(queries))
    write_atomic(stem.with_name(stem.name + ".npz"), buffer.getvalue())
    write_atomic(
        stem.with_name(stem.name + ".json"), (json.dumps(content, indent=1) + "\n").encode()
    )


def read(folder: Path, row: str, test: str) -> Result | None:
    """A row's result under a test, if there is one."""
    file = folder / f"{row}-{test}.json"
    if not file.exists():
        return None
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as episodes:
        accuracies = episodes["correct"] / float(episodes["queries"])
    return Result(json.loads(file.read_text()), accuracies)


def check_same_config(folder: Path, row: str, test: str, config: Config) -> None:
    """Figures of two configs never share a file."""
    result = read(folder, row, test)
    if result is None:
        return
    file = folder / f"{row}-{test}.json"
    found = from_json(json.dumps(result.content["config"]), str(file))
    for name, value in vars(replace(found, seed=config.seed)).items():
        if value != getattr(config, name):
            raise UsageError(
                f"{file} is of {name} = {value!r}, this recipe has {name} = "
                f"{getattr(config, name)!r}; move the file away, or go back to its recipe"
            )


def summary(results: Sequence[Result], baseline: str | None) -> str:
    """Results -> a Markdown table, with differences to the baseline on the same episodes."""
    head = ["row", "test", "accuracy (%)", "by seed (%)", "trained on", "validation (%)"]
    rows = [[*head, "minutes a seed", f"paired, to {baseline}"]]
    rows += [[*_cells(result), difference(result, results, baseline)] for result in results]
    return table(rows if baseline else [row[:-1] for row in rows])


def _cells(result: Result) -> list[str]:
    content, seeds = result.content, result.content["seeds"]
    protocol = content["protocol"]
    return [
        content["row"],
        f"{protocol['way']}-way {protocol['shot']}-shot",
        percent(content["accuracy"], content["ci95"]),
        ", ".join(f"{100 * s['accuracy']:.2f}" for s in seeds),
        f"{content['config']['way']}-way {protocol['trained_shot']}-shot",
        ", ".join(f"{100 * s['validation_accuracy']:.1f}" for s in seeds),
        ", ".join(f"{s['training_seconds'] / 60:.1f}" for s in seeds),
    ]


def difference(result: Result, results: Sequence[Result], baseline: str | None) -> str:
    """The mean over the seeds that both rows have, episode by episode."""
    test = result.content["test"]
    same = [r for r in results if (r.content["row"], r.content["test"]) == (baseline, test)]
    if not same or same[0] is result:
        return ""
    base = same[0]
    both = sorted(set(result.seeds) & set(base.seeds))
    a, b = (r.accuracies[[r.seeds.index(s) for s in both]].mean(0) for r in (base, result))
    change = paired(a, b)
    return f"{100 * change.mean:+.2f} ± {100 * change.ci95:.2f} (p = {change.p:.4f})"


def figure(results: Sequence[Result]) -> bytes:
    """Results -> a PNG: validation accuracy while training, and the tests with their intervals."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11.0, 1.6 + 0.45 * max(6, len(results))), layout="constrained", dpi=110)
    curves, tests = drawn.subplots(1, 2)
    for i, result in enumerate(results):
        content, colour = result.content, f"C{i % 10}"
        name = f"{content['row']}, {content['test']}"
        for k, seed in enumerate(content["seeds"]):
            steps = [step for step, _ in seed["validation"]]
            values = [100 * accuracy for _, accuracy in seed["validation"]]
            curves.plot(steps, values, color=colour, lw=1, label="" if k else name)
            tests.plot(100 * seed["accuracy"], i, "o", color=colour, alpha=0.4, ms=4)
        mean, interval = 100 * content["accuracy"], 100 * content["ci95"]
        tests.errorbar(mean, i, xerr=interval, fmt="|", color=colour, capsize=3)
    curves.set(xlabel="step", ylabel="accuracy on validation classes (%)")
    curves.legend(frameon=False, fontsize=8)
    names = [f"{r.content['row']}, {r.content['test']}" for r in results]
    tests.set_yticks(range(len(names)), names)
    tests.invert_yaxis()
    tests.set(xlabel="accuracy on test classes (%): mean, 95% interval, and each seed")
    tests.grid(axis="x", alpha=0.3)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png")
    return buffer.getvalue()
