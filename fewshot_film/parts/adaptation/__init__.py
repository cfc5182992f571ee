"""Adapters: how a support set decides the task's parameters."""

from fewshot_film.base.family import Family
from fewshot_film.parts.adaptation.adaptive_batch_norm import (
    AdaptiveBatchNorm,
    chosen_adaptive_batch_norm,
)
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.constant import ConstantAdapter
from fewshot_film.parts.adaptation.frozen import FrozenAdapter
from fewshot_film.parts.adaptation.gradient import GradientAdapter
from fewshot_film.parts.adaptation.learned import LearnedAdapter
from fewshot_film.parts.adaptation.none import NoAdaptation
from fewshot_film.parts.adaptation.safe import SafeAdapter, chosen_safe

ADAPTERS: Family[Adapter] = Family(
    "adapter",
    ("encoder", "generator", "identity", "head", "own", "domain"),
    learned=LearnedAdapter,
    safe=chosen_safe,
    constant=ConstantAdapter,
    gradient=GradientAdapter,
    none=NoAdaptation,
    frozen=FrozenAdapter,
    adaptive_batch_norm=chosen_adaptive_batch_norm,
)
"""`identity` are the neutral parameters of the extractor's sites, for one task, and `head` is the
classifier's, lent. `own` is the adapter that a run was trained with, and `domain()` gives the
statistics of a tested domain's images; both are there only where a trained run is tested."""

__all__ = [
    "ADAPTERS",
    "Adapter",
    "AdaptiveBatchNorm",
    "ConstantAdapter",
    "FrozenAdapter",
    "GradientAdapter",
    "LearnedAdapter",
    "NoAdaptation",
    "SafeAdapter",
]
