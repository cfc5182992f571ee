"""What tasks ask of photographs, and of characters beside them: for the sets of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.omniglot import alphabets
from fewshot_film.tasks import (
    Mixture,
    NestedLabellingSampler,
    photo_attribute_tasks,
    random_operation_tasks,
)
from fewshot_film.tasks.episode import Sampler, SamplerFactory
from fewshot_film.tasks.factors import SEEN
from fewshot_film.tasks.plain import EpisodeSampler

ASKED = ("hue", "rotation", "size", "position", "blur")
"""The factors of a photograph that tasks ask for, beside its class."""


def attribute_tasks(levels: Sequence[int]) -> SamplerFactory:
    """Tasks that ask for the class or one of ASKED, at these levels."""
    chosen = dict.fromkeys(ASKED, levels)
    return partial(photo_attribute_tasks, factors=ASKED, levels=chosen)


def operation_tasks(kind: str) -> SamplerFactory:
    """Tasks that ask for the class or for a random operation of a kind, drawn anew."""
    return partial(random_operation_tasks, kinds=(kind,))


def photo_tasks(data: ImageSet, way: int, shot: int, query: int) -> Sampler:
    """All that a photograph can be asked, by shares, and plain tasks of both kinds of image."""
    photographs, characters = (classes_of(data, name) for name in data.domain_names)
    kinds: Mapping[SamplerFactory, float] = {
        attribute_tasks(SEEN): 0.25,
        partial(photo_attribute_tasks, factors=("rendering", "contrast", "texture")): 0.1,
        operation_tasks("colour"): 0.1,
        operation_tasks("geometry"): 0.1,
        partial(EpisodeSampler, group="objects"): 0.25,
    }
    samplers = [kind(photographs, way, shot, query) for kind in kinds]
    samplers.append(EpisodeSampler(characters, way, shot, query, group="characters"))
    return Mixture(samplers, shares=(*kinds.values(), 0.2))


def classes_of(data: ImageSet, domain: str) -> ImageSet:
    """The classes of a domain, of a set whose domains lie one after the other and share none."""
    there = (data.domains == data.domain_names.index(domain)).nonzero().squeeze(1)
    block = slice(int(there[0]), int(there[-1]) + 1)  # of the same memory
    classes, labels = data.labels[block].unique(return_inverse=True)
    return ImageSet(
        data.images[block],
        labels,
        tuple(data.names[c] for c in classes.tolist()),
        torch.zeros_like(labels),
        (domain,),
    )


def character_or_alphabet(data: ImageSet, way: int, shot: int, query: int) -> Sampler:
    """Tasks that ask for the character, or for the alphabet that it is of."""
    names = ("character", "alphabet")
    return NestedLabellingSampler(data, way, shot, query, groups_of=alphabets(data), names=names)
