"""What the recipes share: rows of one question, trained seed by seed, written as they finish.

A row is a Config and the tests it is put to. Every seed has a run folder of its own under --runs
and goes on there after a kill; every finished test is added to results/<recipe>/: a JSON file a
row and test, the accuracies of its episodes beside it, a table and a figure of all rows.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import rows

from fewshot_film.config import Config
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.files import write_atomic
from fewshot_film.report import evaluate_run
from fewshot_film.training import fit

RESULTS = Path(__file__).resolve().parent.parent / "results"


@dataclass(frozen=True)
class Tasks:
    """The episodes of the test classes that a row is put to."""

    way: int = 5
    shot: int = 1
    query: int = 15
    episodes: int = 1000

    def __str__(self) -> str:
        return f"{self.way}w{self.shot}s"


@dataclass(frozen=True)
class Row:
    """One line of a table: how to train, and what to test."""

    name: str
    config: Config
    tests: tuple[Tasks, ...]


@dataclass(frozen=True)
class Recipe:
    """The rows that answer one question; differences are to the row called `baseline`."""

    name: str
    rows: tuple[Row, ...]
    baseline: str | None = None


@dataclass(frozen=True)
class Options:
    """Where and how much to run."""

    seeds: tuple[int, ...] = (0,)
    """Seeds to run, one after the other."""
    rows: tuple[str, ...] = ()
    """Only these rows (default: all)."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu or cuda."""
    data_root: Path | None = None
    """Where data sets are, or are downloaded to (default: $FEWSHOT_FILM_DATA, else a cache)."""
    runs: Path = Path("runs")
    """Where the run folders go; what is finished there is not done again."""
    quick: bool = False
    """A few steps of narrow networks, to see that everything runs; nothing goes to results/."""


def run_recipe(recipe: Recipe, options: Options) -> int:
    """Train, test and write -> an exit code; an error a person can act on is one line."""
    try:
        out = _run(recipe, options)
    except FewShotError as error:
        print(f"{recipe.name}: {error}", file=sys.stderr)
        return error.exit_code
    print(f"\n{(out / 'table.md').read_text()}\nresults: {out}")
    return 0


def _run(recipe: Recipe, options: Options) -> Path:
    runs, out = options.runs / recipe.name, RESULTS / recipe.name
    if options.quick:  # never to be mistaken for, or resumed as, the real ones
        recipe, runs = shortened(recipe), options.runs / "quick" / recipe.name
        out = runs / "results"
    chosen = chosen_rows(recipe, options.rows)
    for row in chosen:
        for test in row.tests:
            rows.check_same_config(out, row.name, str(test), row.config)
    out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for row in chosen:
            _run_row(row, seed, options, runs, out)
            write_tables(recipe, out)
    return out


def chosen_rows(recipe: Recipe, names: tuple[str, ...]) -> list[Row]:
    """The rows of these names, or all."""
    known = [row.name for row in recipe.rows]
    for name in names:
        if name not in known:
            raise UsageError(f"--rows {name}: {recipe.name} has the rows {', '.join(known)}")
    return [row for row in recipe.rows if row.name in (names or known)]


def _run_row(row: Row, seed: int, options: Options, runs: Path, out: Path) -> None:
    print(f"\n{row.name}, seed {seed}", flush=True)
    config = replace(row.config, seed=seed)
    place: dict[str, Any] = {"device": options.device, "root": options.data_root}
    run = fit(config, runs / f"{row.name}-{seed}", resume=True, **place)
    for test in row.tests:
        report = evaluate_run(run.path, **asdict(test), progress=True, **place)
        print(f"{100 * report.evaluation.accuracy:.2f} % on {report.protocol}", flush=True)
        rows.add(out, row.name, str(test), report, run)


def write_tables(recipe: Recipe, out: Path) -> None:
    """table.md and figure.png of all rows that have results."""
    pairs = [(row.name, str(test)) for row in recipe.rows for test in row.tests]
    found = [result for row, test in pairs if (result := rows.read(out, row, test))]
    write_atomic(out / "table.md", (rows.summary(found, recipe.baseline) + "\n").encode())
    write_atomic(out / "figure.png", rows.figure(found))


def shortened(recipe: Recipe) -> Recipe:
    """The same path in seconds: two validations of narrow networks on small tasks."""
    return replace(recipe, rows=tuple(_shortened(row) for row in recipe.rows))


def _shortened(row: Row) -> Row:
    config = replace(
        row.config,
        steps=4,
        validate_every=2,
        validation_episodes=2,
        width=4,
        way=2,
        test_way=2,
        query=1,
        tasks=min(row.config.tasks, 2),
        auxiliary_batch=4,
    )
    tests = {str(t): t for t in (replace(t, way=2, query=1, episodes=3) for t in row.tests)}
    return replace(row, config=config, tests=tuple(tests.values()))
