"""Training: sample, forward, loss, step, log; validate and save at a stated interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from fewshot_film.base.device import choose_device, has_bfloat16
from fewshot_film.base.interrupt import deferred_interrupt
from fewshot_film.base.memory import keep_freed_memory
from fewshot_film.base.provenance import environment
from fewshot_film.base.seeding import VALIDATION, seeded_noise
from fewshot_film.config.config import Config, find_entry
from fewshot_film.config.domains import domains_of, in_domains
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.root import data_root
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import FewShotError, NotFinite, UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.model.objective import Outcome
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.log import Log, diverged
from fewshot_film.runs.run import Run
from fewshot_film.runs.schedule import learning_rate
from fewshot_film.runs.training_episodes import TrainingEpisodes
from fewshot_film.tasks.episode import Episode, Sampler

LEARNED_FROM = ("train", "val")
"""The splits whose classes a training sees: to learn from, and to choose by."""


class Interrupted(FewShotError):
    """Ctrl-C: the run was saved and can go on."""

    exit_code = 130


def fit(
    config: Config,
    out: Path | str,
    *,
    device: str = "auto",
    root: Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Run:
    """(config, out) -> a run folder with the trained classifier.

    `root` is the data root. With `resume` a run in `out` goes on where its last checkpoint left
    it, and ends with the weights that an uninterrupted run ends with; a finished one is left as
    it is.
    """
    keep_freed_memory()
    if config.data:  # the run must find its folder from wherever it is evaluated
        config = replace(config, data=str(Path(config.data).resolve()))
    run, place = Run(out), choose_device(device)
    if resume and run.is_finished(config):
        return run
    sets = load_splits(config, data_root(root), place)
    episodes, samplers = TrainingEpisodes(config, sets["train"]), evaluation_samplers(config, sets)
    learner = Learner(config, place)
    with run.locked():
        _open(run, config, resume)
        if run.last_file.exists():
            learner.restore(run.last_file)
        run.forget_metrics_after(learner.step)
        if learner.step < config.steps:
            run.test_file.unlink(missing_ok=True)
            run.note_origin(
                environment(place),
                {s: sets[s].names for s in LEARNED_FROM},
                domains_of(config, "train"),
            )
        _loop(run, config, learner, episodes, samplers["val"], place, progress)
    return run


def load_splits(config: Config, root: Path, device: torch.device) -> dict[str, ImageSet]:
    """split -> its images, of the size that a Config asks for."""
    entry = find_entry(config)
    if entry.source.channels != config.channels:
        raise UsageError(
            f"--channels is {config.channels}, {entry.source.name} has {entry.source.channels}; "
            f"pass --channels {entry.source.channels}"
        )
    domains = {split: domains_of(config, split) for split in SPLITS}  # a wrong name costs no load
    sets = {split: in_domains(entry.source.load(root, split), domains[split]) for split in SPLITS}
    return {split: images.resize(config.size).to(device) for split, images in sets.items()}


def evaluation_samplers(config: Config, sets: Mapping[str, ImageSet]) -> dict[str, Sampler]:
    """split -> what draws its tasks when a Config is validated and tested.

    Both are made, so that a data set too small for the test is refused before training.
    """
    entry, shape = find_entry(config), (config.test_way, config.shot, config.query)
    return {split: entry.evaluating(split)(sets[split], *shape) for split in ("val", "test")}


def _open(run: Run, config: Config, resume: bool) -> None:
    """Refuse to mix two runs in one folder."""
    if not run.config_file.exists():
        run.create(config)
        return
    if not resume:
        raise UsageError(f"{run.path} holds a run already; pass --resume or another --out")
    found, asked = asdict(run.config()), asdict(config)
    for name in found:
        if found[name] != asked[name]:
            raise UsageError(
                f"the run in {run.path} has {name} = {found[name]!r}, asked for {asked[name]!r}; "
                "go back to that, or train in another folder"
            )


def _loop(
    run: Run,
    config: Config,
    learner: Learner,
    episodes: TrainingEpisodes,
    validation: Sampler,
    device: torch.device,
    progress: bool,
) -> None:
    log = Log(run, config)
    with (
        deferred_interrupt() as interrupt,
        tqdm(
            total=config.steps,
            initial=learner.step,
            desc="train",
            unit="step",
            disable=not progress,
        ) as bar,
    ):
        while learner.step < config.steps:
            episode = episodes.at(learner.step).to(device)
            outcome = step(learner, episode, config)
            stop = interrupt.is_set()
            log.add(learner, outcome, bar, now=stop)
            if learner.step % config.validate_every == 0 or learner.step == config.steps:
                _validate(run, config, learner, validation, progress)
                log.resume_clock()
            if stop:
                learner.save(run.last_file)
                raise Interrupted(
                    f"stopped at step {learner.step}; go on with --resume --out {run.path}"
                )


def step(learner: Learner, episode: Episode, config: Config) -> Outcome:
    """One optimisation step on one batch of tasks."""
    for group in learner.optimizer.param_groups:
        group["lr"] = learning_rate(config, learner.step)
    learner.modules.train()
    device = episode.group.device
    low = config.precision == "bfloat16" and has_bfloat16(device)
    with (
        seeded_noise(config.seed, learner.step, device),
        torch.autocast(device.type, torch.bfloat16, enabled=low),
    ):
        outcome: Outcome = learner.objective(learner.classifier, episode)
    learner.optimizer.zero_grad()
    outcome.loss.backward()
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(learner.modules.parameters(), config.clip_norm)
    learner.optimizer.step()
    learner.step += 1
    return outcome


def _validate(run: Run, config: Config, learner: Learner, sampler: Sampler, progress: bool) -> None:
    """Validate on fixed episodes, keep the best weights, and save a checkpoint to resume from."""
    try:
        result = evaluate(
            learner.classifier,
            sampler,
            config.validation_episodes,
            seed=config.seed,
            stream=VALIDATION,
            progress=progress,
        )
    except NotFinite as error:
        raise diverged("validation", config, learner.step - 1) from error
    record = {"val_accuracy": result.accuracy, "val_ci95": result.ci95}
    run.append_metrics({"step": learner.step, **record})
    if result.accuracy > learner.best:
        learner.best = result.accuracy
        learner.save_classifier(run.best_file)
    learner.save(run.last_file)
