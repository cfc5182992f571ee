"""Adapters: how a support set decides the task's parameters."""

from fewshot_film.parts.adaptation.adaptive_batch_norm import AdaptiveBatchNorm
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.learned import LearnedAdapter
from fewshot_film.parts.adaptation.none import NoAdaptation

__all__ = ["Adapter", "AdaptiveBatchNorm", "LearnedAdapter", "NoAdaptation"]
