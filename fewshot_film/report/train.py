"""A run from beginning to end: train, test on unseen classes, draw the pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from fewshot_film.base.files import write_atomic
from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.config.problem import problem_of
from fewshot_film.config.protocol import Question
from fewshot_film.report import pictures
from fewshot_film.runs.report import report_of
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit, located
from fewshot_film.runs.trial import Trial, trial


def train(config: Config, out: Path | str, machine: Machine = HERE, *, resume: bool = False) -> Run:
    """(config, out) -> a run folder: weights, metrics, test.json on unseen classes, pictures.

    With `resume`, a run in `out` goes on from its last checkpoint; one that has been tested is left
    as it is.
    """
    config, run = located(config), Run(out)
    if resume and run.test_file.exists() and run.is_finished(config):
        return run
    problem = problem_of(config, machine.root)
    fit(config, out, machine, problem=problem, resume=resume)
    if not run.test_file.exists():
        asked = Question(episodes=config.test_episodes)
        put = trial(run.path, asked, machine, problem=problem)
        report = report_of(str(run.path), put, machine)
        draw(run, put)
        write_atomic(run.test_file, report.to_json().encode())
    return run


def draw(run: Run, put: Trial) -> None:
    """Write the run's pictures, or say how to get them where matplotlib is missing."""
    if not pictures.can_draw():
        print('no pictures: pip install "fewshot_film[plot]"', file=sys.stderr)
        return
    write_atomic(run.curves_file, pictures.curves(run.metrics()))
    write_atomic(run.episodes_file, pictures.episodes(put.classifier, put.pictured, seed=0))
