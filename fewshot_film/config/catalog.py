"""The data sets by name: how to load each, what tasks to draw from it, and its good defaults."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fewshot_film.config.config import Config, suited
from fewshot_film.config.photo_tasks import (
    ASKED,
    attribute_tasks,
    character_or_alphabet,
    operation_tasks,
    photo_tasks,
)
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.cifar import CIFAR_FS, FC100
from fewshot_film.data.sets.digits import DIGITS
from fewshot_film.data.sets.domain_folders import OFFICE_CALTECH10, PACS
from fewshot_film.data.sets.folder import folder_source
from fewshot_film.data.sets.glyphs import SOURCE as GLYPHS
from fewshot_film.data.sets.glyphs.by_rendering import BY_RENDERING
from fewshot_film.data.sets.glyphs.by_typeface import BY_TYPEFACE
from fewshot_film.data.sets.glyphs.renderings import RENDERINGS, SEEN
from fewshot_film.data.sets.omniglot import OMNIGLOT, OMNIGLOT_LAKE, UPRIGHT
from fewshot_film.data.sets.photographs import PHOTOGRAPHS, PHOTOGRAPHS_AND_CHARACTERS
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.tasks import (
    FACTORS,
    CrossDomainSampler,
    Mixture,
    Rendered,
    SameDomainSampler,
    UniformQuerySampler,
    WhichAttributeSampler,
    class_or_domain,
    rendering_or_class,
)
from fewshot_film.tasks.episode import Sampler, SamplerFactory
from fewshot_film.tasks.factors import SEEN as SEEN_LEVELS
from fewshot_film.tasks.factors import UNSEEN as UNSEEN_LEVELS
from fewshot_film.tasks.plain import EpisodeSampler


@dataclass(frozen=True)
class Entry:
    """A data source and the tasks drawn from it: for training, and to evaluate each split.

    `factors` counts the attributes that its tasks may ask for; `renders` says that its tasks change
    the images that they draw; `defaults` is a Config that suits.
    """

    source: DataSource
    tasks: str
    training: SamplerFactory = EpisodeSampler
    evaluation: Mapping[str, SamplerFactory] = field(default_factory=dict)
    factors: int = 0
    renders: bool = False
    defaults: Config = field(default_factory=Config)

    def evaluating(self, split: str) -> SamplerFactory:
        """What draws the tasks of `split` in an evaluation."""
        return self.evaluation.get(split, EpisodeSampler)


def uniform_queries(factory: SamplerFactory, entry: Entry) -> SamplerFactory:
    """Plain tasks, with queries drawn uniformly over the images of their classes."""
    if factory is not EpisodeSampler:
        raise UsageError(
            f"`query_draw` uniform is for plain tasks, {entry.source.name} draws {entry.tasks}; "
            "leave it out"
        )
    return UniformQuerySampler


def large_classes(data: ImageSet, way: int, shot: int, query: int) -> Sampler:
    """Plain tasks of the classes that hold enough images for them."""
    large = data.with_at_least(shot + query)
    # of too few large classes the sampler of all says what is missing
    return EpisodeSampler(large if len(large.names) >= way else data, way, shot, query)


def characters(sampler: SamplerFactory, renderings: Sequence[int]) -> SamplerFactory:
    """Tasks of `sampler` on glyphs, each in one of the renderings."""
    return lambda data, way, shot, query: Rendered(sampler(data, way, shot, query), renderings)


def both(first: SamplerFactory, second: SamplerFactory) -> SamplerFactory:
    """Tasks of two kinds, half and half."""
    return lambda *shape: Mixture([first(*shape), second(*shape)])


def _glyph_entry(
    tasks: str, kind: Callable[[Sequence[int]], SamplerFactory], **others: Any
) -> Entry:
    """Training and validation see the SEEN renderings only; the test sees them all."""
    seen, every = kind(SEEN), kind(range(len(RENDERINGS)))
    by_split = {"train": seen, "val": seen, "test": every}
    return Entry(GLYPHS, tasks, seen, by_split, renders=True, **others)


def _attributes(renderings: Sequence[int]) -> SamplerFactory:
    """The levels of the rendering attribute are the SEEN ones, whatever the split."""
    del renderings
    return WhichAttributeSampler


def _asking(source: DataSource, tasks: str, sampler: SamplerFactory, **others: Any) -> Entry:
    """Tasks on rendered photographs, of one kind in every split."""
    by_split = dict.fromkeys((*SPLITS, "all"), sampler)
    return Entry(source, tasks, sampler, by_split, renders=True, **others)


def _labelled(source: DataSource, what: str, sampler: SamplerFactory, defaults: Config) -> Entry:
    """Tasks that ask for one of two labellings that images bring along."""
    tasks = f"the support set tells whether {what}, is the label"
    small = replace(defaults, way=3, test_way=3)
    return Entry(source, tasks, sampler, dict.fromkeys(SPLITS, sampler), 2, defaults=small)


def _same_domain(source: DataSource, what: str, tested: str, defaults: Config) -> Entry:
    """Tasks inside one domain each, in every split; by default `tested` is kept for the test."""
    tasks = f"{what}, each task in one domain"
    return _of_domains(source, tasks, SameDomainSampler, replace(defaults, test_domains=tested))


def _across(source: DataSource, tested: str, defaults: Config) -> Entry:
    """Support in one domain and queries in the others, in every split."""
    tasks = "support in one domain, queries in others"
    return _of_domains(source, tasks, CrossDomainSampler, replace(defaults, test_domains=tested))


def _of_domains(source: DataSource, tasks: str, sampler: SamplerFactory, defaults: Config) -> Entry:
    return Entry(source, tasks, sampler, dict.fromkeys(SPLITS, sampler), defaults=defaults)


GLYPH_DEFAULTS = Config(encoder="discriminative", shot=3, query=3, learning_rate=6e-3, steps=3000)
RENDERED_DEFAULTS = replace(GLYPH_DEFAULTS, encoder="prototype-mean", shot=1, query=5)
OMNIGLOT_DEFAULTS = Config(
    extractor="conv4", way=30, shot=1, query=5, tasks=1, steps=6000, learning_rate=4e-3
)
DIGITS_DEFAULTS = Config(channels=3, size=32, extractor="conv4", shot=5, query=5, tasks=2)
OBJECT_DEFAULTS = replace(DIGITS_DEFAULTS, augmentation="flip-crop")
FOLDER_DEFAULTS = replace(OBJECT_DEFAULTS, size=84, shot=1)

PRETRAINED: Mapping[str, Any] = {
    "encoder": "feature-contrast",
    "head": "cosine",
    "learning_rate": 1e-3,
    "augmentation": "none",
    "size": 128,
    "channels": 3,
}
"""What suits a network that others trained, whatever the data."""

PHOTO_DEFAULTS = Config(
    extractor="efficientnet-lite0:neck=256,sites=none",
    shot=3,
    query=3,
    tasks=8,
    pool=1000,
    **PRETRAINED,
)
RENDERING_DEFAULTS = replace(PHOTO_DEFAULTS, way=3, test_way=3)
PACS_DEFAULTS = replace(OBJECT_DEFAULTS, test_domains="sketch")
OFFICE_DEFAULTS = replace(OBJECT_DEFAULTS, test_domains="webcam")

ENTRIES: dict[str, Entry] = {
    "glyphs": _glyph_entry(
        "half which-attribute, half character tasks",
        lambda renderings: both(WhichAttributeSampler, characters(large_classes, renderings)),
        factors=len(FACTORS),
        defaults=GLYPH_DEFAULTS,
    ),
    "glyphs-attributes": _glyph_entry(
        "the support set tells which of four attributes is the label",
        _attributes,
        factors=len(FACTORS),
        defaults=GLYPH_DEFAULTS,
    ),
    "glyphs-characters": _glyph_entry(
        "characters of unseen scripts, each task in one rendering",
        lambda renderings: characters(large_classes, renderings),
        defaults=GLYPH_DEFAULTS,
    ),
    "glyphs-typefaces": _glyph_entry(
        "support in one typeface, queries in others",
        lambda renderings: characters(CrossDomainSampler, renderings),
        defaults=replace(GLYPH_DEFAULTS, encoder="prototype-mean", shot=1, query=1),
    ),
    "glyphs-renderings": _same_domain(
        BY_RENDERING, "characters", ",".join(RENDERINGS[1:]), RENDERED_DEFAULTS
    ),
    "glyphs-new-typefaces": _same_domain(
        BY_TYPEFACE, "characters", "new typefaces", replace(RENDERED_DEFAULTS, query=3)
    ),
    "photos": _asking(
        PHOTOGRAPHS_AND_CHARACTERS,
        "objects, characters, attributes of a photograph and operations on it",
        photo_tasks,
        defaults=replace(
            PHOTO_DEFAULTS,
            pool=2000,
            head="logistic",
            extractor=f"{PHOTO_DEFAULTS.extractor},stages=0.5",
        ),
    ),
    "photo-attributes": _asking(
        PHOTOGRAPHS,
        "the support set tells whether class, hue, rotation, size, position or blur is the label",
        attribute_tasks(SEEN_LEVELS),
        factors=1 + len(ASKED),
        defaults=PHOTO_DEFAULTS,
    ),
    "photo-attributes-new-levels": _asking(
        PHOTOGRAPHS,
        "as photo-attributes, at levels in between",
        attribute_tasks(UNSEEN_LEVELS),
        factors=1 + len(ASKED),
        defaults=PHOTO_DEFAULTS,
    ),
    "photo-renderings": _asking(
        PHOTOGRAPHS,
        "the support set tells whether class or rendering is the label",
        rendering_or_class,
        factors=2,
        defaults=RENDERING_DEFAULTS,
    ),
    "photo-operations": _asking(
        PHOTOGRAPHS,
        "class, or which random operation on colours and details a picture went through",
        operation_tasks("colour"),
        factors=2,
        defaults=RENDERING_DEFAULTS,
    ),
    "photo-geometry": _asking(
        PHOTOGRAPHS,
        "class, or which random operation on its geometry a picture went through",
        operation_tasks("geometry"),
        factors=2,
        defaults=RENDERING_DEFAULTS,
    ),
    "office-attributes": _asking(
        OFFICE_CALTECH10,
        "as photo-attributes",
        attribute_tasks(SEEN_LEVELS),
        factors=1 + len(ASKED),
        defaults=replace(PHOTO_DEFAULTS, test_domains="webcam"),
    ),
    "omniglot": Entry(OMNIGLOT, "characters, Vinyals split", defaults=OMNIGLOT_DEFAULTS),
    "omniglot-lake": Entry(OMNIGLOT_LAKE, "characters, by alphabet", defaults=OMNIGLOT_DEFAULTS),
    "cifar-fs": Entry(CIFAR_FS, "objects", defaults=OBJECT_DEFAULTS),
    "fc100": Entry(FC100, "objects", defaults=OBJECT_DEFAULTS),
    "omniglot-upright": Entry(UPRIGHT, "characters, Vinyals split", defaults=OMNIGLOT_DEFAULTS),
    "character-or-alphabet": _labelled(
        UPRIGHT, "the character, or the alphabet", character_or_alphabet, OMNIGLOT_DEFAULTS
    ),
    "class-or-style": _labelled(PACS, "the class, or the style", class_or_domain, PACS_DEFAULTS),
    "class-or-camera": _labelled(
        OFFICE_CALTECH10, "the class, or where a picture is from", class_or_domain, OFFICE_DEFAULTS
    ),
    "digits": _same_domain(DIGITS, "digits", "mnist-m", DIGITS_DEFAULTS),
    "digits-across": _across(DIGITS, "svhn,mnist-m", DIGITS_DEFAULTS),
    "pacs": _same_domain(PACS, "objects", "sketch", OBJECT_DEFAULTS),
    "pacs-across": _across(PACS, "cartoon,sketch", OBJECT_DEFAULTS),
    "office-caltech10": _same_domain(OFFICE_CALTECH10, "objects", "webcam", OBJECT_DEFAULTS),
    "office-caltech10-across": _across(OFFICE_CALTECH10, "dslr,webcam", OBJECT_DEFAULTS),
}


def entry(name: str) -> Entry:
    """The data set called `name`, or an error with the known names and the nearest."""
    if name in ENTRIES:
        return ENTRIES[name]
    near = difflib.get_close_matches(name, ENTRIES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"unknown data set {name!r}; known: {', '.join(ENTRIES)}{hint}")


def folder_entry(path: Path, size: int, channels: int | None = None) -> Entry:
    """A person's own folder of class folders."""
    return Entry(
        folder_source(path, size, channels),
        "classes of the folder",
        defaults=FOLDER_DEFAULTS,
    )


def default_config(dataset: str = "glyphs", data: str | None = None, **choices: Any) -> Config:
    """The Config that suits a data set, with these choices in it."""
    if data and dataset != Config.dataset:
        raise UsageError(f"`dataset` {dataset} and `data` {data} were both given; pass one of them")
    suits = FOLDER_DEFAULTS if data else entry(dataset).defaults
    suits = replace(suits, dataset=dataset, data=data)
    extractor = choices.get("extractor", suits.extractor)
    if foreign(extractor) and not foreign(suits.extractor):
        suits = replace(suits, extractor=extractor, normalization="running", **PRETRAINED)
    return suited(suits, **choices)


def foreign(extractor: str) -> bool:
    """Whether it is a network that others trained: images are converted to what it takes."""
    return not EXTRACTORS.read(extractor).takes("channels")
