"""Report: a run evaluated on new episodes, with its protocol, as JSON and as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fewshot_film.adaptation import AdaptiveBatchNorm
from fewshot_film.catalog import folder_entry
from fewshot_film.classifier import FewShotClassifier
from fewshot_film.config import Config, find_entry
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.root import data_root
from fewshot_film.device import choose_device
from fewshot_film.episodes import Sampler, check_counts
from fewshot_film.errors import UsageError
from fewshot_film.evaluation import Evaluation, ci95, evaluate
from fewshot_film.guard import check_unseen, is_transductive, known_classes
from fewshot_film.provenance import environment
from fewshot_film.run import Run, load
from fewshot_film.tasks import Augmented
from fewshot_film.transforms import with_channels

ADAPTIVE_BATCH_NORM: dict[str, Literal["support", "support+query"]] = {
    "@adabn": "support",
    "@adabn-query": "support+query",
}
"""Suffix of a run's name -> whose moments replace those of its batch norms."""


@dataclass(frozen=True)
class Protocol:
    """What was asked of a classifier; the same protocol draws the same episodes for every run.

    `trained_shot` is the shot of the run's training; `known_classes` counts the classes of the
    split that it was trained on or chosen by.
    """

    dataset: str
    split: str
    way: int
    shot: int
    query: int
    episodes: int
    seed: int
    image_size: int
    channels: int
    transductive: bool = False
    trained_shot: int | None = None
    known_classes: int = 0

    def __str__(self) -> str:
        """The protocol as a line to print beside every figure."""
        side = self.image_size
        return (
            f"{self.dataset} {self.split}: {self.way}-way {self.shot}-shot{self._other_shot()}, "
            f"{self.query} queries a class, {self.episodes} episodes, seed {self.seed}, "
            f"{side}x{side}x{self.channels} images, "
            f"{'transductive' if self.transductive else 'inductive'}{self._known_classes()}"
        )

    def _other_shot(self) -> str:
        if self.trained_shot in (None, self.shot):
            return ""
        return f" (trained with {self.trained_shot}-shot tasks)"

    def _known_classes(self) -> str:
        known = self.known_classes
        return f", {known} of its classes were trained on or chosen by" if known else ""


@dataclass(frozen=True)
class Report:
    """One run under one protocol."""

    run: str
    config: Config
    protocol: Protocol
    evaluation: Evaluation
    environment: dict[str, str]
    trained: Sequence[dict[str, str]] = ()

    def to_json(self) -> str:
        """The report as JSON text; accuracies are in [0, 1], in the order of the episodes."""
        result = self.evaluation
        content: dict[str, Any] = {
            "run": self.run,
            "accuracy": result.accuracy,
            "ci95": result.ci95,
            "episodes": len(result.accuracies),
            "protocol": asdict(self.protocol),
            "groups": {name: _group(result, name) for name in present_groups(result)},
            "environment": self.environment,
            "trained": list(self.trained),
            "config": asdict(self.config),
            "accuracies": [round(float(a), 9) for a in result.accuracies],
            "group": [result.groups[g] for g in result.group],
        }
        return json.dumps(content, indent=1) + "\n"


def evaluate_run(
    name: str | Path,
    *,
    like: str | Path | None = None,
    dataset: str | None = None,
    data: str | None = None,
    split: str = "test",
    way: int | None = None,
    shot: int | None = None,
    query: int | None = None,
    episodes: int = 1000,
    seed: int = 0,
    device: str = "auto",
    root: Path | None = None,
    convert_channels: bool = False,
    progress: bool = False,
) -> Report:
    """(run, protocol) -> Report. What is left out is as the run `like` (this run) was tested.

    `name` is a run folder, with "@adabn" appended for adaptive batch norm on the support set.
    `data` is a folder of class folders, instead of a `dataset` by name; `root` the data root.
    """
    if dataset and data:
        raise UsageError(f"--dataset {dataset} and --data {data} were both given; pass one of them")
    given = {"way": way, "shot": shot, "query": query, "episodes": episodes}
    check_counts(**{key: value for key, value in given.items() if value is not None})
    base, config = (run_folder(n).config() for n in (like or name, name))
    asked = replace(
        config,
        dataset=dataset or base.dataset,
        data=data or (None if dataset else base.data),
        test_way=way or base.test_way,
        shot=shot or base.shot,
        query=query or base.query,
        test_episodes=episodes,
        seed=seed,
    )
    place = choose_device(device)
    own = asked.data is not None and asked.data == config.data  # converted as in training
    images = test_images(asked, split, data_root(root), convert_channels or own)
    run = run_folder(name)
    if split == "test":
        check_unseen(run, asked.data or asked.dataset, images.names)
    protocol = replace(
        _protocol(asked, split),
        trained_shot=config.shot,
        known_classes=len(known_classes(run, images.names)),
    )
    sampler = test_sampler(asked, split, images)
    result = evaluate(load_as(name, device), sampler, episodes, seed=seed, progress=progress)
    return Report(str(name), config, protocol, result, environment(place), run.environments())


def run_folder(name: str | Path) -> Run:
    """The folder of a run by name."""
    return Run(str(name).rpartition("@")[0] if _statistics(name) else name)


def load_as(name: str | Path, device: str) -> FewShotClassifier:
    """A run by name, with its own adapter or, if the name ends so, adaptive batch norm."""
    classifier = load(run_folder(name).path, device)
    statistics = _statistics(name)
    return (
        classifier.with_adapter(AdaptiveBatchNorm(statistics)).eval() if statistics else classifier
    )


def _statistics(name: str | Path) -> Literal["support", "support+query"] | None:
    """Whose moments a run's name asks for, or None for its own adapter."""
    return ADAPTIVE_BATCH_NORM.get("".join(str(name).rpartition("@")[1:]))


def test_images(config: Config, split: str, root: Path, convert_channels: bool) -> ImageSet:
    """The images of `split`, of the size the run takes; of its channels, or to be converted."""
    found = folder_entry(Path(config.data), config.size) if config.data else find_entry(config)
    images = found.source.load(root, split).resize(config.size)
    if images.channels != config.channels and not convert_channels:
        raise UsageError(
            f"the run takes images with {config.channels} channels, {found.source.name} has "
            f"{images.channels}; pass --convert-channels to convert them"
        )
    return images


def test_sampler(config: Config, split: str, images: ImageSet) -> Sampler:
    """What draws the tasks of `split` from its images, in the channels the run takes."""
    entry = find_entry(config)
    sampler = entry.evaluating(split)(images, config.test_way, config.shot, config.query)
    if images.channels == config.channels:
        return sampler
    return Augmented(sampler, lambda drawn, _rng: with_channels(drawn, config.channels))


def _protocol(config: Config, split: str) -> Protocol:
    return Protocol(
        dataset=config.data or config.dataset,
        split=split,
        way=config.test_way,
        shot=config.shot,
        query=config.query,
        episodes=config.test_episodes,
        seed=config.seed,
        image_size=config.size,
        channels=config.channels,
    )


def present_groups(result: Evaluation) -> list[str]:
    """The groups that have episodes."""
    return [name for name in result.groups if len(result.of_group(name))]


def _group(result: Evaluation, name: str) -> dict[str, float]:
    values = result.of_group(name)
    return {"accuracy": float(values.mean()), "ci95": ci95(values), "episodes": len(values)}
