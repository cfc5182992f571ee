"""Trial: a run and the tasks that it is put to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.base.seeding import TEST, generator
from fewshot_film.config.catalog import folder_entry, uniform_queries
from fewshot_film.config.config import Config, find_entry
from fewshot_film.config.domains import domains_of, in_domains, named_domains
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.root import data_root
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.classifier import Classifier
from fewshot_film.runs.guard import check_same_classes, check_unseen, known_classes
from fewshot_film.runs.protocol import Protocol, protocol_of
from fewshot_film.runs.run import Run
from fewshot_film.runs.variants import load_as, looks_at_domain, run_of
from fewshot_film.tasks import Augmented
from fewshot_film.tasks.episode import Episode, Sampler
from fewshot_film.tasks.transforms import with_channels

UNLABELED = 4096
"""Images of a domain that tell its statistics, at most."""


@dataclass(frozen=True)
class Question:
    """What to ask of a run; what is left out is as the run was trained and tested."""

    dataset: str | None = None
    """Data set by name; `fewshot-film datasets` lists them."""
    data: str | None = None
    """A folder of class folders, instead of a data set. Pictures are resized, shorter side first,
    and cropped to the size the run takes."""
    split: str = "test"
    """train, val or test; for a folder also all."""
    domains: str | None = None
    """Domains to test on, with commas between them, of a data set that has several."""
    way: int | None = None
    """Classes a task."""
    shot: int | None = None
    """Support images a class."""
    query: int | None = None
    """Query images a class."""
    query_draw: Literal["balanced", "uniform"] = "balanced"
    """As many queries of every class, or as many in all, drawn uniformly over the images of the
    task's classes (as TADAM tests)."""
    episodes: int = 1000
    """Tasks to draw."""
    seed: int = 0
    """Which tasks: one seed draws the same ones for every run, batch size and device."""
    convert_channels: bool = False
    """Turn grey images into colour ones, or the reverse, where the run needs it."""

    def __post_init__(self) -> None:
        if self.dataset and self.data:
            raise UsageError(
                f"--dataset {self.dataset} and --data {self.data} were both given; pass one of them"
            )
        given = {name: getattr(self, name) for name in ("way", "shot", "query", "episodes")}
        check_counts(**{name: value for name, value in given.items() if value is not None})

    def of(self, config: Config, base: Config) -> Config:
        """The config of a run with its test as asked, or else as that of `base`."""
        same_data = not self.data and self.dataset in (None, base.dataset)
        return replace(
            config,
            dataset=self.dataset or base.dataset,
            data=self.data or (None if self.dataset else base.data),
            train_domains=base.train_domains if same_data else None,
            test_domains=base.test_domains if same_data else None,
            test_way=self.way or base.test_way,
            shot=self.shot or base.shot,
            query=self.query or base.query,
            test_episodes=self.episodes,
            seed=self.seed,
        )

    def domains_in(self, asked: Config) -> tuple[str, ...]:
        """The domains to draw tasks from: those named, or else those of the split."""
        if self.domains:
            return named_domains("--domains", self.domains, asked)
        return domains_of(asked, self.split)


@dataclass(frozen=True, eq=False)
class Trial:
    """A run's classifier, what draws its tasks, and the protocol to print beside the figures."""

    run: Run
    config: Config
    classifier: Classifier
    sampler: Sampler
    protocol: Protocol

    def episodes(self) -> Iterator[Episode]:
        """The tasks that an evaluation draws, one by one, on the classifier's device."""
        device, seed = next(self.classifier.parameters()).device, self.protocol.seed
        for i in range(self.protocol.episodes):
            yield self.sampler.sample(1, generator(seed, TEST, i)).to(device)


def trial(
    name: str | Path,
    question: Question,
    *,
    like: str | Path | None = None,
    device: str = "auto",
    root: Path | None = None,
) -> Trial:
    """(run, question) -> its Trial. What the question leaves out is as `like` (the run) was tested.

    A test is of classes, or of domains, that the run has not seen.
    """
    run, base = run_of(name), run_of(like or name).config()
    config = run.config()
    asked, place = question.of(config, base), data_root(root)
    own = asked.data is not None and asked.data == config.data  # converted as in training
    convert, domains = question.convert_channels or own, question.domains_in(asked)
    images = test_images(asked, question.split, place, convert, domains)
    check_same_classes(run, asked.data or asked.dataset, images.names)
    if question.split == "test":
        check_unseen(run, asked.data or asked.dataset, images.names, domains)
    classifier = load_as(name, device, lambda: unlabeled_images(asked, domains, place))
    sampler = test_sampler(asked, question.split, images, question.query_draw)
    protocol = replace(
        protocol_of(asked, question.split, domains),
        query_draw=question.query_draw,
        trained_shot=config.shot if config.objective == "episodes" else None,
        known_classes=len(known_classes(run, images.names)),
        transductive=is_transductive(classifier) or _holds_queries(name, asked, question.split),
    )
    return Trial(run, config, classifier, sampler, protocol)


def unlabeled_images(config: Config, domains: Sequence[str], root: Path) -> ImageSet:
    """A random UNLABELED images, or all, of the domains' training part, as the run takes them."""
    if not domains:
        raise UsageError(
            f"{config.data or config.dataset} is not divided by domains; adapt to the support set "
            "instead (RUN@adabn)"
        )
    images = find_entry(config).source.load(root, "train").of_domains(domains)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(config.seed))
    drawn = images.of_images(order[:UNLABELED]).resize(config.size)
    if drawn.channels == config.channels:
        return drawn
    converted = with_channels(as_float(drawn.images), config.channels)
    return replace(drawn, images=(converted * 255).round().byte())


def _holds_queries(name: str | Path, config: Config, split: str) -> bool:
    """Whether a domain's statistics are of images that queries are drawn from."""
    whole = split == "test" and find_entry(config).source.tested_whole
    return looks_at_domain(name) and (whole or split == "train")


def test_images(
    config: Config, split: str, root: Path, convert_channels: bool, domains: Sequence[str]
) -> ImageSet:
    """The images of `split`, of the size the run takes; of its channels, or to be converted."""
    found = folder_entry(Path(config.data), config.size) if config.data else find_entry(config)
    images = in_domains(found.source.load(root, split), domains).resize(config.size)
    if images.channels != config.channels and not convert_channels:
        raise UsageError(
            f"the run takes images with {config.channels} channels, {found.source.name} has "
            f"{images.channels}; pass --convert-channels to convert them"
        )
    return images


def test_sampler(config: Config, split: str, images: ImageSet, query_draw: str) -> Sampler:
    """What draws the tasks of `split` from its images, in the channels the run takes."""
    entry = find_entry(config)
    plain = entry.evaluating(split)
    factory = uniform_queries(plain, entry) if query_draw == "uniform" else plain
    sampler = factory(images, config.test_way, config.shot, config.query)
    if images.channels == config.channels:
        return sampler
    return Augmented(sampler, lambda drawn, _rng: with_channels(drawn, config.channels))
