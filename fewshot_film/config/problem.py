"""Problem: a data set as a run sees it, made once, and what draws tasks from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.config.catalog import Entry, entry, folder_entry, foreign, uniform_queries
from fewshot_film.config.config import Config
from fewshot_film.config.domains import in_domains, learned_and_tested, named_domains
from fewshot_film.config.protocol import Protocol
from fewshot_film.config.readings import Read, reading_set
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks import AttributeSampler, Augmented, Pool
from fewshot_film.tasks.episode import Sampler
from fewshot_film.tasks.transforms import with_channels

UNLABELED = 4096
"""Images of a domain that tell its statistics, at most."""


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """(split, domains) -> images of one size and number of channels, each loaded once.

    `name` is the data set's, or the folder's. Images of other channels are refused unless
    `convert` says that they are converted.
    """

    name: str
    entry: Entry
    size: int
    channels: int
    root: Path
    train_domains: str | None = None
    test_domains: str | None = None
    convert: bool = False
    loaded: dict[tuple[str, tuple[str, ...], int], ImageSet] = field(default_factory=dict)
    """(split, domains, size) -> images, which a copy with other settings shares."""
    reader: Extractor | None = None
    """A frozen network that has read the images, where that is all that is asked of them."""
    progress: bool = False
    """Show how far a reader is."""
    readings: dict[str, Problem] = field(default_factory=dict)
    """reader -> the problem as it has read it, which is made once."""

    def read_by(self, extractor: Extractor, *, progress: bool) -> Problem:
        """The same images as a frozen network reads them, once each, if it does."""
        if not extractor.reads:
            return self
        reader = extractor.reader_id()
        if reader not in self.readings:
            # what tasks render is read when they are drawn, and its images stay as they are
            loaded = self.loaded if self.entry.renders else {}
            self.readings[reader] = replace(
                self, reader=extractor, progress=progress, loaded=loaded, readings={}
            )
        return self.readings[reader]

    @property
    def factors(self) -> int:
        """How many attributes its tasks may ask for."""
        return self.entry.factors

    def domains(self, split: str) -> tuple[str, ...]:
        """The domains of a split; () for a data set that is not divided by domains."""
        known = self.entry.source.domains
        learned, tested = learned_and_tested(
            self.name, known, self.train_domains, self.test_domains
        )
        return tested if split == "test" else learned

    def named(self, domains: str) -> tuple[str, ...]:
        """The domains that a person asks to be tested on."""
        return named_domains("domains", domains, self.name, self.entry.source.domains)

    def images(self, split: str, domains: tuple[str, ...] | None = None) -> ImageSet:
        """The images of a split, in these domains or its own."""
        chosen = self.domains(split) if domains is None else domains
        self._check_channels(self.entry.source.channels)  # which costs no load
        key = (split, chosen, self.size)
        if key not in self.loaded:
            self.loaded[key] = self._load(split, chosen)
        if not self.reader:  # readings have as many channels as they hold numbers
            self._check_channels(self.loaded[key].channels)
        return self.loaded[key]

    def _load(self, split: str, domains: tuple[str, ...]) -> ImageSet:
        """The images of a split, or what a reader reads of them."""
        whole = self.entry.source.load(self.root, split)
        images = in_domains(whole, domains).resize(self.size)
        if not self.reader or self.entry.renders:
            return images
        self._check_channels(images.channels)
        return reading_set(images, self.reader, self.root, progress=self.progress)

    def check_same_classes(self) -> None:
        """What classifies all classes can be tested: they are the same in every split."""
        source = self.entry.source
        if not source.domains or len(set(source.classes.values())) > 1:
            raise UsageError(
                f"objective classify tests the classes that it was trained on, {source.name} has "
                "others in its test; pass a data set that is divided by domains"
            )

    def sampler(self, protocol: Protocol, device: torch.device | str = "cpu") -> Sampler:
        """What draws the tasks that a protocol asks for, from images on the device."""
        images = self.images(protocol.split, protocol.tested_domains).to(device)
        factory = self.entry.evaluating(protocol.split)
        if protocol.query_draw == "uniform":
            factory = uniform_queries(factory, self.entry)
        return self.seen(factory(images, protocol.way, protocol.shot, protocol.query), images)

    def seen(self, sampler: Sampler, images: ImageSet) -> Sampler:
        """What draws tasks from images, so that the network can take them."""
        if self.reader:
            return Read(sampler, self.reader, self.root) if self.entry.renders else sampler
        if images.channels == self.channels:
            return sampler
        return Augmented(sampler, lambda drawn, _rng: with_channels(drawn, self.channels))

    def unlabeled(self, domains: tuple[str, ...], seed: int) -> ImageSet:
        """A random UNLABELED images, or all, of the domains' training part."""
        if not domains:
            raise UsageError(
                f"{self.name} is not divided by domains; adapt to the support set instead "
                "(RUN@adabn)"
            )
        images = self.entry.source.load(self.root, "train").of_domains(domains)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        drawn = images.of_images(order[:UNLABELED]).resize(self.size)
        if drawn.channels == self.channels:
            return drawn
        converted = with_channels(as_float(drawn.images), self.channels)
        return replace(drawn, images=(converted * 255).round().byte())

    def _check_channels(self, found: int | None) -> None:
        if found not in (None, self.channels) and not self.convert:
            raise UsageError(
                f"the network takes images with {self.channels} channels, {self.name} has {found}; "
                f"train with `channels` {found}, or pass `convert_channels` to convert them in an "
                "evaluation"
            )


def problem_of(config: Config, root: Path) -> Problem:
    """The data and tasks of a Config; a folder of pictures is listed here, and only here."""
    found = (
        folder_entry(Path(config.data), config.size, config.channels)
        if config.data
        else entry(config.dataset)
    )
    return Problem(
        config.data or config.dataset,
        found,
        config.size,
        config.channels,
        root,
        config.train_domains,
        config.test_domains,
        convert=foreign(config.extractor),
    )


def training_sampler(problem: Problem, config: Config, data: ImageSet) -> Sampler:
    """What draws the training tasks of a Config from images of its problem."""
    factory = problem.entry.training
    if config.query_draw == "uniform":
        factory = uniform_queries(factory, problem.entry)
    sampler = problem.seen(factory(data, config.way, config.shot, config.query), data)
    return sampler if config.pool is None else pooled(sampler, config)


def pooled(sampler: Sampler, config: Config) -> Sampler:
    """Tasks on so many of a sampler's sets as a Config says, asked for anything that it asks."""
    inner = sampler.sampler if isinstance(sampler, Read | Augmented) else sampler
    columns = inner.askable.tolist() if isinstance(inner, AttributeSampler) else None
    assert config.pool is not None
    return Pool(sampler, config.pool, columns=columns)
