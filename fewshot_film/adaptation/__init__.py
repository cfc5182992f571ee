"""Adapters: how a support set decides the task's parameters."""

from fewshot_film.adaptation.adaptive_batch_norm import AdaptiveBatchNorm
from fewshot_film.adaptation.base import Adapter
from fewshot_film.adaptation.learned import LearnedAdapter
from fewshot_film.adaptation.none import NoAdaptation

__all__ = ["Adapter", "AdaptiveBatchNorm", "LearnedAdapter", "NoAdaptation"]
