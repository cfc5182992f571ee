"""Training: sample, forward, loss, step, log; validate and save at a stated interval."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

import torch
from tqdm import tqdm

from fewshot_film.base.interrupt import deferred_interrupt
from fewshot_film.base.memory import keep_freed_memory
from fewshot_film.base.provenance import environment
from fewshot_film.base.seeding import VALIDATION
from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.config.protocol import Protocol
from fewshot_film.errors import FewShotError, NotFinite, UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.log import Log, diverged
from fewshot_film.runs.run import Run
from fewshot_film.runs.step import Step
from fewshot_film.runs.training_episodes import TrainingEpisodes

LEARNED_FROM = ("train", "val")
"""The splits whose classes a training sees: to learn from, and to choose by."""


class Interrupted(FewShotError):
    """Ctrl-C: the run was saved and can go on."""

    exit_code = 130


def fit(
    config: Config,
    out: Path | str,
    machine: Machine = HERE,
    *,
    problem: Problem | None = None,
    resume: bool = False,
) -> Run:
    """(config, out) -> a run folder with the trained classifier.

    `problem` is the config's, where it has been made already. With `resume` a run in `out` goes on
    where its last checkpoint left it, and ends with the weights that an uninterrupted run ends
    with; a finished one is left as it is.
    """
    keep_freed_memory()
    config, run, place = located(config), Run(out), machine.place
    if resume and run.is_finished(config):
        return run
    problem = problem or problem_of(config, machine.root)
    if config.classifies:
        problem.check_same_classes()
    learner = Learner(config, problem, place)  # what cannot be built is refused before data load
    session = Session(run, config, problem, learner, place, machine.progress)
    with run.locked():
        _open(run, config, resume)
        if run.last_file.exists():
            learner.restore(run.last_file)
        run.forget_metrics_after(learner.step)
        if learner.step < config.steps:
            run.test_file.unlink(missing_ok=True)
            names = {split: problem.images(split).names for split in LEARNED_FROM}
            run.note_origin(environment(place), names, problem.domains("train"))
        session.loop()
    return run


def located(config: Config) -> Config:
    """A folder of pictures by its full path: the run must find it from wherever it is evaluated."""
    return replace(config, data=str(Path(config.data).resolve())) if config.data else config


def _open(run: Run, config: Config, resume: bool) -> None:
    """Refuse to mix two runs in one folder."""
    if not run.config_file.exists():
        run.create(config)
        return
    if not resume:
        raise UsageError(f"{run.path} holds a run already; pass `resume=True` or another `out`")
    found, asked = asdict(run.config()), asdict(config)
    for name in found:
        if found[name] != asked[name]:
            raise UsageError(
                f"the run in {run.path} has {name} = {found[name]!r}, asked for {asked[name]!r}; "
                "go back to that, or train in another folder"
            )


@final
class Session:
    """One sitting of a training: sample, forward, loss, step, log; validate and save."""

    def __init__(
        self,
        run: Run,
        config: Config,
        problem: Problem,
        learner: Learner,
        place: torch.device,
        progress: bool,
    ) -> None:
        self.run, self.config, self.learner = run, config, learner
        self.place, self.progress = place, progress
        if config.augmentation == "none":  # else no image is seen twice
            extractor = learner.classifier.features.extractor
            problem = problem.read_by(extractor, progress=progress)
        self.step = Step(config, place)
        self.episodes = TrainingEpisodes(config, problem, problem.images("train").to(place))
        # both are made, so that a data set too small for the test is refused before training
        self.samplers = {
            split: problem.sampler(Protocol.of(config, split, problem.domains(split)), place)
            for split in ("val", "test")
        }

    def loop(self) -> None:
        """Every step that is left."""
        log, learner, config = Log(self.run, self.config), self.learner, self.config
        with deferred_interrupt() as interrupt, self._bar() as bar:
            while learner.step < config.steps:
                outcome = self.step(learner, self.episodes.at(learner.step).to(self.place))
                stop = interrupt.is_set()
                log.add(learner, outcome, bar, now=stop)
                if learner.step % config.validate_every == 0 or learner.step == config.steps:
                    self._validate()
                    log.resume_clock()
                if stop:
                    learner.save(self.run.last_file)
                    raise Interrupted(
                        f"stopped at step {learner.step}; go on with `resume=True` "
                        f"`out={self.run.path}`"
                    )

    def _bar(self) -> tqdm[Any]:
        return tqdm(
            total=self.config.steps,
            initial=self.learner.step,
            desc="train",
            unit="step",
            disable=not self.progress,
        )

    def _validate(self) -> None:
        """Validate on fixed episodes, keep the best weights, and save a checkpoint to resume."""
        learner, config = self.learner, self.config
        try:
            result = evaluate(
                learner.classifier,
                self.samplers["val"],
                config.validation_episodes,
                seed=config.seed,
                stream=VALIDATION,
                progress=self.progress,
            )
        except NotFinite as error:
            raise diverged("validation", config, learner.step - 1) from error
        record = {"val_accuracy": result.accuracy, "val_ci95": result.ci95}
        self.run.append_metrics({"step": learner.step, **record})
        if result.accuracy > learner.best:
            learner.best = result.accuracy
            learner.save_classifier(self.run.best_file)
        learner.save(self.run.last_file)
