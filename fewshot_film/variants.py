"""Runs by name: a run folder, or RUN@adabn and its like for adaptive batch norm on its network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from fewshot_film.adaptation import AdaptiveBatchNorm
from fewshot_film.batch_norm_adaptation import one_pass
from fewshot_film.classifier import Classifier
from fewshot_film.data.image_set import ImageSet
from fewshot_film.domain_statistics import DomainStatistics
from fewshot_film.episodes import as_float
from fewshot_film.extractor import Extractor
from fewshot_film.run import Run, load

Whose: TypeAlias = Literal["support", "support+query", "domain"]

OWN = "own+"
"""Before a variant: the run's own adapter stays, and its FiLM follows the adapted batch norm."""

VARIANTS: dict[str, Whose] = {
    "adabn": "support",
    "adabn-query": "support+query",
    "adabn-domain": "domain",
}
"""What may follow RUN@ -> whose moments take the place of those in the network's batch norms."""

BATCH = 256
"""Images at once where a domain's statistics are taken."""


def run_of(name: str | Path) -> Run:
    """The folder of a run by name."""
    return Run(str(name).rpartition("@")[0] if variant_of(name) else name)


def variant_of(name: str | Path) -> str | None:
    """What follows the @ in a run's name, if that names a variant."""
    _, at, variant = str(name).rpartition("@")
    return variant if at and variant.removeprefix(OWN) in VARIANTS else None


def load_as(name: str | Path, device: str, unlabeled: Callable[[], ImageSet]) -> Classifier:
    """A run by name; `unlabeled` gives images of the tested domains where a variant needs some."""
    classifier = load(run_of(name).path, device)
    variant = variant_of(name)
    if variant is None:
        return classifier
    whose = VARIANTS[variant.removeprefix(OWN)]
    extractor = classifier.features.extractor
    adapter = AdaptiveBatchNorm(
        statistics_of(extractor, unlabeled()) if whose == "domain" else whose,
        film=classifier.features.adapter if variant.startswith(OWN) else None,
    )
    return classifier.with_adapter(adapter).eval()


def statistics_of(extractor: Extractor, images: ImageSet) -> DomainStatistics:
    """The statistics of an extractor's batch norms over a domain's images, in one pass.

    Batches are drawn at random, since each is normalised by its own moments on the way.
    """
    device = next(extractor.parameters()).device
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    parts = order.to(images.device).split(BATCH)
    return one_pass(extractor, (as_float(images.images[p].to(device))[None] for p in parts))
