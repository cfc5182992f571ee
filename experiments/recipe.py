"""What the recipes share: rows of one question, trained seed by seed, written as they finish.

A row is a Config and the tests it is put to. Every seed has a run folder of its own under --runs
and goes on there after a kill; every finished test is added to results/<recipe>/: a JSON file a
row and test, and the accuracies of its episodes beside it. A sitting ends with a table and a figure
of all rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rows
import show
from filelock import FileLock
from rows import Result

from fewshot_film.base.family import Family
from fewshot_film.base.files import write_atomic
from fewshot_film.cli.main import as_flags
from fewshot_film.config.catalog import foreign
from fewshot_film.config.config import Config
from fewshot_film.config.machine import Machine
from fewshot_film.config.problem import Problem
from fewshot_film.config.protocol import Question
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.model.auxiliary import AUXILIARIES
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.training import Interrupted, fit
from fewshot_film.runs.trial import problem_in_question

RESULTS = Path(__file__).resolve().parent.parent / "results"


def tasks(
    way: int = 5,
    shot: int = 1,
    query: int = 15,
    episodes: int = 1000,
    domains: str | None = None,
    dataset: str | None = None,
    split: str = "test",
) -> Question:
    """The episodes that a row is put to; by default of the data set and domains of its config.

    Those of split "val" are for choosing, and tell nothing of classes that no choice has seen.
    """
    return Question(
        dataset=dataset,
        split=split,
        domains=domains,
        way=way,
        shot=shot,
        query=query,
        episodes=episodes,
    )


@dataclass(frozen=True)
class Row:
    """One line of a table: how to train, what to test, and the row that it is compared with."""

    name: str
    config: Config
    tests: tuple[Question, ...]
    compared_with: str | None = None
    training: str | None = None
    """The training that rows share (default: one of its own, by the row's name)."""
    variant: str = ""
    """What follows the run's name in its test, such as "@adabn"."""
    home: str | None = None
    """The recipe that the training belongs to (default: the row's own)."""


@dataclass(frozen=True)
class Recipe:
    """The rows that answer one question, and how they are shown."""

    name: str
    rows: tuple[Row, ...]
    table: Callable[[Sequence[Result], show.Differences], str] = show.summary
    figure: Callable[[Sequence[Result]], bytes] = show.figure


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

    @property
    def machine(self) -> Machine:
        """Where to compute, and where data are."""
        return Machine(self.device, self.data_root)

    def runs_of(self, name: str) -> Path:
        """The run folders of a recipe; a quick run is never taken for a real one."""
        return self.runs / "quick" / name if self.quick else self.runs / name

    def results_of(self, name: str) -> Path:
        """Where a recipe's figures go."""
        return self.runs_of(name) / "results" if self.quick else RESULTS / name


def run_recipe(recipe: Recipe, options: Options) -> int:
    """Train, test and write -> an exit code."""
    return ended(recipe.name, lambda: run_rows(recipe, options))


def ended(name: str, work: Callable[[], Path]) -> int:
    """Do `work` and show its table; what a person can act on is one line and an exit code."""
    start = time.perf_counter()
    try:
        out = work()
    except (Interrupted, KeyboardInterrupt):
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except FewShotError as error:
        print(f"{name}: {as_flags(str(error))}", file=sys.stderr)
        return error.exit_code
    print(f"\n{(out / 'table.md').read_text()}\nresults: {out}")
    print(f"this sitting took {(time.perf_counter() - start) / 60:.1f} minutes")
    return 0


def run_rows(recipe: Recipe, options: Options) -> Path:
    """Train and test the rows that were asked for -> the folder of their results."""
    if not options.seeds:
        raise UsageError("--seeds is empty; pass at least one")
    recipe = shortened(recipe) if options.quick else recipe
    out = options.results_of(recipe.name)
    chosen = chosen_rows(recipe, options.rows)
    for row in recipe.rows:
        for asked in row.tests:
            rows.check_same(out, row.name, row.config, asked, row.variant)
    out.mkdir(parents=True, exist_ok=True)
    problems = Problems(options.machine)
    try:
        for seed in options.seeds:
            for row in chosen:
                _run_row(recipe, row, seed, options, problems)
    finally:  # once a sitting, however it ends: drawing takes longer than a quick test
        with FileLock(out / ".lock"):
            write_tables(recipe, out)
    return out


def chosen_rows(recipe: Recipe, names: tuple[str, ...]) -> list[Row]:
    """The rows of these names, or all."""
    known = [row.name for row in recipe.rows]
    for name in names:
        if name not in known:
            raise UsageError(f"--rows {name}: {recipe.name} has the rows {', '.join(known)}")
    return [row for row in recipe.rows if row.name in (names or known)]


class Problems:
    """Data that rows share, loaded once a sitting, whatever tasks are drawn from them."""

    def __init__(self, machine: Machine) -> None:
        self.root, self.made = machine.root, dict[Any, Problem]()
        self.images: dict[Any, dict[Any, ImageSet]] = {}

    def of(self, config: Config, asked: Question) -> Problem:
        """What a question to a run of this config is about; a question of nothing, its training."""
        about = (config.dataset, config.data, config.train_domains, config.test_domains)
        taken = (config.size, config.channels, foreign(config.extractor))
        key = (*about, *taken, asked.dataset, asked.data, asked.convert_channels)
        if key not in self.made:
            found = problem_in_question(asked, config, config, self.root)
            source = (found.entry.source.name, config.data, asked.data)
            images = self.images.setdefault(source, {})
            self.made[key] = replace(found, loaded=images)
        return self.made[key]


def _run_row(recipe: Recipe, row: Row, seed: int, options: Options, problems: Problems) -> None:
    print(f"\n{row.name}, seed {seed}", flush=True)
    out, folder = options.results_of(recipe.name), options.runs_of(row.home or recipe.name)
    config = replace(row.config, seed=seed)
    path = folder / f"{row.training or row.name}-{seed}"
    problem = problems.of(config, Question())
    run = fit(config, path, options.machine, problem=problem, resume=True)
    for asked in row.tests:
        test = rows.test_name(asked)
        if rows.is_tested(out, row.name, test, run):
            continue
        about = problems.of(config, asked)
        report = evaluate_run(f"{run.path}{row.variant}", asked, options.machine, problem=about)
        print(f"{100 * report.evaluation.accuracy:.2f} % on {report.protocol}", flush=True)
        with FileLock(out / ".lock"):  # another process may run other rows
            rows.add(out, row.name, test, report, run)


def write_tables(recipe: Recipe, out: Path) -> None:
    """table.md, figure.png and differences.json of all rows that have results, if any has."""
    found, differences = [], {}
    for row in recipe.rows:
        for test in map(rows.test_name, row.tests):
            result = rows.read(out, row.name, test)
            base = row.compared_with and rows.read(out, row.compared_with, test)
            found += [result] if result else []
            if result and base and (change := rows.difference(result, base)):
                differences[result.name] = change
    if not found:
        return
    write_atomic(out / "table.md", (recipe.table(found, differences) + "\n").encode())
    write_atomic(out / "figure.png", recipe.figure(found))
    if differences:
        named = [{"row": row, "test": test, **d} for (row, test), d in differences.items()]
        write_atomic(out / "differences.json", (json.dumps(named, indent=1) + "\n").encode())


def shortened(recipe: Recipe) -> Recipe:
    """The same path in seconds: two validations of narrow networks on small tasks."""
    return replace(recipe, rows=tuple(_shortened(row) for row in recipe.rows))


def _shortened(row: Row) -> Row:
    config, auxiliary = row.config, row.config.auxiliary
    if auxiliary != "none":
        auxiliary = with_options(AUXILIARIES, auxiliary, images=4)
    config = replace(
        config,
        steps=4,
        validate_every=2,
        validation_episodes=2,
        extractor=_narrow(config.extractor),
        size=min(config.size, 32),
        way=config.way if config.classifies else 2,
        test_way=2,
        query=1,
        tasks=min(config.tasks, 2),
        auxiliary=auxiliary,
    )
    tests = dict.fromkeys(map(_small, row.tests))
    return replace(row, config=config, tests=tuple(tests))


def _small(asked: Question) -> Question:
    return replace(asked, way=2, shot=min(asked.shot or 5, 5), query=1, episodes=3)


def _narrow(extractor: str) -> str:
    """A network of four channels, or one that others trained, with as many features of a neck."""
    chosen = EXTRACTORS.read(extractor)
    narrow = {"width"} & EXTRACTORS.options(chosen.name).keys()
    narrow |= {"neck"} & dict(chosen.set_options).keys()
    return with_options(EXTRACTORS, extractor, **dict.fromkeys(narrow, 4))


def with_options(family: Family[Any], choice: str, **options: Any) -> str:
    """A choice -> the same part, with these options besides or in place of its own."""
    chosen = family.read(choice)
    return str(family.choose(chosen.name, {**dict(chosen.set_options), **options}))
