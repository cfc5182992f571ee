"""Runs by name: a run folder, or RUN@ADAPTER for another adapter on its network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from fewshot_film.base.family import Choice
from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import Classifier
from fewshot_film.parts.adaptation import ADAPTERS, Adapter
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.statistics.domain import DomainStatistics
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.runs.run import Run, load_run
from fewshot_film.runs.shipped import shipped

ALIASES: Mapping[str, str] = {
    "adabn": "adaptive-batch-norm",
    "adabn-query": "adaptive-batch-norm:statistics=support+query",
    "adabn-domain": "adaptive-batch-norm:statistics=domain",
    "own+adabn": "adaptive-batch-norm:film=own",
    "own+adabn-query": "adaptive-batch-norm:statistics=support+query,film=own",
    "own+adabn-domain": "adaptive-batch-norm:statistics=domain,film=own",
    "adabn-prior": "adaptive-batch-norm:share=0.1",
    "own+gradient": "gradient:start=own",
}
"""Short names of what may follow RUN@, beside the adapters' own; "own+" keeps what the run's own
adapter gives: as FiLM after adapted batch norm, or as the start of gradient descent."""

BATCH = 256
"""Images at once where a domain's statistics are taken."""


@final
@dataclass(frozen=True)
class Named:
    """A run, and the adapter that takes the place of its own if the name has an @."""

    run: Run
    adapter: Choice[Adapter] | None = None

    @property
    def looks_at_domain(self) -> bool:
        """Whether statistics of the tested domain's images are asked for."""
        return self.adapter is not None and "domain" in dict(self.adapter.set_options).values()

    def load(
        self, device: str | torch.device, unlabeled: Callable[[], ImageSet] | None = None
    ) -> Classifier:
        """The classifier; `unlabeled` gives images of the tested domains, if any are tested."""
        classifier = load_run(self.run, device)
        if self.adapter is None:
            return classifier
        features = classifier.features
        found: dict[str, Any] = {
            "own": features.adapter,
            "identity": features.extractor.identity(),
            "head": classifier.head,
        }
        if unlabeled:
            images = unlabeled
            found |= {"domain": lambda: statistics_of(features.extractor, images())}
        return classifier.with_adapter(self.adapter(**found)).eval()


def named(name: str | Path) -> Named:
    """RUN or RUN@ADAPTER:OPTIONS -> run and adapter; a folder of that very name is a run."""
    folder, at, variant = str(name).rpartition("@")
    if not at or Path(name).exists() or not _run(folder).config_file.exists():
        return Named(_run(name))
    try:
        chosen = ADAPTERS.read(ALIASES.get(variant, variant))
    except UsageError as error:
        short = ", ".join(f"@{alias}" for alias in ALIASES)
        raise UsageError(f"{name}: {error}; short names are {short}") from error
    if _learns(chosen):
        raise UsageError(
            f"{name}: {chosen.name} is made by a training, and {folder} has its own; leave @ and "
            "what follows out, or train another run"
        )
    return Named(_run(folder), chosen)


def _learns(chosen: Choice[Adapter]) -> bool:
    """Whether what it does at the sites is learned, and not by the run's own adapter."""
    return not chosen.takes("own") and any(map(chosen.takes, ("generator", "identity")))


def load(name: Path | str, device: str | torch.device = "auto") -> Classifier:
    """RUN or RUN@ADAPTER -> its best classifier, ready to adapt, in evaluation mode.

    RUN is a run folder, or the name of a model that ships with the package, such as "glyphs-film".
    """
    return named(name).load(device)


def _run(name: str | Path) -> Run:
    """The run in a folder; where there is none, the model of that name that ships."""
    folder = Run(name)
    return folder if folder.path.exists() else shipped().get(str(name), folder)


def statistics_of(extractor: Extractor, images: ImageSet) -> DomainStatistics:
    """The statistics of an extractor's batch norms over a domain's images, in one pass.

    Batches are drawn at random, since each is normalised by its own moments on the way.
    """
    device = next(extractor.parameters()).device
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    parts = order.to(images.device).split(BATCH)
    return one_pass(extractor, (as_float(images.images[p].to(device))[None] for p in parts))
