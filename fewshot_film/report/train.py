"""An experiment from beginning to end: train, test on unseen classes, draw the pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from fewshot_film.base.files import write_atomic
from fewshot_film.config.config import Config
from fewshot_film.report import pictures
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit
from fewshot_film.runs.trial import Question, trial


def train(
    config: Config,
    out: Path | str,
    *,
    device: str = "auto",
    root: Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Run:
    """(config, out) -> a run folder: weights, metrics, test.json on unseen classes, pictures.

    `root` is the data root. With `resume`, a run in `out` goes on from its last checkpoint; one
    that has been tested is left as it is.
    """
    run = fit(config, out, device=device, root=root, resume=resume, progress=progress)
    if not run.test_file.exists():
        question = Question(episodes=config.test_episodes)
        report = evaluate_run(run.path, question, device=device, root=root, progress=progress)
        draw(run, device, root)
        write_atomic(run.test_file, report.to_json().encode())
    return run


def draw(run: Run, device: str, root: Path | None) -> None:
    """Write the run's pictures, or say how to get them where matplotlib is missing."""
    if not pictures.can_draw():
        print('no pictures: pip install "fewshot_film[plot]"', file=sys.stderr)
        return
    shown = trial(run.path, Question(), device=device, root=root)
    write_atomic(run.curves_file, pictures.curves(run.metrics()))
    write_atomic(run.episodes_file, pictures.episodes(shown.classifier, shown.sampler, seed=0))
