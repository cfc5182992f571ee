"""Answers that are numbers, and that no other query can change unless a method says so."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fewshot_film.errors import FewShotError, NotFinite
from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.normalization import Normalization


def is_transductive(classifier: nn.Module) -> bool:
    """Whether an adapter or a normalization looks at the queries together, and says so."""
    parts = [m for m in classifier.modules() if isinstance(m, Adapter | Normalization)]
    return any(part.transductive for part in parts)


def check_finite(logits: Tensor) -> None:
    """Answers are numbers."""
    if not logits.isfinite().all():
        raise NotFinite("the classifier's logits are not finite; its weights are broken")


def check_evaluating(classifier: nn.Module) -> None:
    """Every module is in evaluation mode and every batch norm has running statistics.

    So an answer depends on other queries only where `is_transductive` says it.
    """
    for name, module in classifier.named_modules():
        if module.training:
            raise FewShotError(
                f"{name or 'the classifier'} stays in training mode in an evaluation; its "
                "train() must pass the mode on"
            )
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise FewShotError(
                f"the batch norm {name} has no running statistics, so an answer would depend on "
                "the other queries; set track_running_stats"
            )
