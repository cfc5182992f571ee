"""A small network as others publish them, as a part: for colour images, its weights the same."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated

import making
import torch
from laws import networks
from torch import nn

from fewshot_film.base.values import AtLeast
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import EXTRACTORS, ConditionedNetwork, Extractor, condition
from fewshot_film.parts.extractor.base import ConditioningFactory
from fewshot_film.parts.extractor.necked import Necked

Neck = Annotated[int | None, AtLeast(1)]


def tiny(
    conditioning: ConditioningFactory,
    *,
    sites: str = "none",
    neck: Neck = 4,
    stages: Annotated[float, AtLeast(0)] = 0.0,
    grey: bool = False,
) -> Extractor:
    """A residual network of three blocks, frozen; beside it a neck."""
    channels = 1 if grey else 3
    features = "last" if neck is None else "stages"
    network = published(conditioning, sites, features, channels)
    return network if neck is None else Necked(network, conditioning, neck, stages=stages)


@contextmanager
def known() -> Iterator[None]:
    """The family of extractors has it inside."""
    EXTRACTORS.parts["tiny"] = tiny
    try:
        yield
    finally:
        del EXTRACTORS.parts["tiny"]


def plain(channels: int = 3, seed: int = 0) -> nn.Module:
    """The network itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.module("batch-norms", channels)


def published(
    conditioning: ConditioningFactory, sites: str, features: str, channels: int = 3, seed: int = 0
) -> ConditionedNetwork:
    """Its weights come with a package, as far as a state dict knows."""
    made = condition(
        plain(channels, seed),
        sites,
        features=features,
        conditioning=conditioning,
        preprocessing=networks.preprocessing(channels),
    )
    return made.of_published()


def necked(sites: str = "none", width: int = 5, seed: int = 0) -> Necked:
    """Grey, lived-in, evaluating, as a training might have left it."""
    return copy.deepcopy(_necked(sites, width, seed))


@cache
def _necked(sites: str, width: int, seed: int) -> Necked:
    made = Necked(published(FiLM, sites, "stages", channels=1, seed=seed), FiLM, width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        making.lived_in(made.linear)
        making.lived_in(made.site)
    made.normalised.momentum = 1.0
    with torch.no_grad():
        made.train()(making.pictures(1, 32, seed=99))
    made.normalised.momentum = 0.1
    return made.eval()
