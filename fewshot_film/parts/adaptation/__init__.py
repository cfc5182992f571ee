"""Adapters: how a support set decides the task's parameters."""

from fewshot_film.base.family import Family
from fewshot_film.parts.adaptation.adaptive_batch_norm import (
    AdaptiveBatchNorm,
    chosen_adaptive_batch_norm,
)
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.learned import LearnedAdapter
from fewshot_film.parts.adaptation.none import NoAdaptation

ADAPTERS: Family[Adapter] = Family(
    "adapter",
    ("encoder", "generator", "own", "domain"),
    learned=LearnedAdapter,
    none=NoAdaptation,
    adaptive_batch_norm=chosen_adaptive_batch_norm,
)
"""`own` is the adapter that a run was trained with, and `domain()` gives the statistics of a tested
domain's images; both are there only where a trained run is tested."""

__all__ = ["ADAPTERS", "Adapter", "AdaptiveBatchNorm", "LearnedAdapter", "NoAdaptation"]
