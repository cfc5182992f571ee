"""Runs by name: a run folder, or RUN@adabn and its like for adaptive batch norm on its network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import Classifier
from fewshot_film.parts.adaptation import AdaptiveBatchNorm
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.statistics.domain import DomainStatistics
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.runs.run import Run, load

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
    folder, at, variant = str(name).rpartition("@")
    if variant_of(name):
        return Run(folder)
    if at and not Path(name).exists() and Run(folder).config_file.exists():
        known = ", ".join(f"@{known}" for known in VARIANTS)
        raise UsageError(f"{folder} has no variant @{variant}; there are {known}, each also @{OWN}")
    return Run(name)


def variant_of(name: str | Path) -> str | None:
    """What follows the @ in a run's name, if that names a variant and no folder."""
    _, at, variant = str(name).rpartition("@")
    known = at and variant.removeprefix(OWN) in VARIANTS and not Path(name).is_dir()
    return variant if known else None


def looks_at_domain(name: str | Path) -> bool:
    """Whether a run's name asks for the statistics of the tested domain's images."""
    return VARIANTS.get((variant_of(name) or "").removeprefix(OWN)) == "domain"


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
