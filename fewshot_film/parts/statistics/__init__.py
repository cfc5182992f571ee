"""What batch norms know of a domain: taken, kept, swapped, aligned."""

from fewshot_film.parts.statistics.alignment import correlation_alignment
from fewshot_film.parts.statistics.domain import DomainStatistics, with_statistics
from fewshot_film.parts.statistics.estimators import (
    adapt_batchnorm,
    layer_by_layer,
    one_pass,
    online,
)

__all__ = [
    "DomainStatistics",
    "adapt_batchnorm",
    "correlation_alignment",
    "layer_by_layer",
    "one_pass",
    "online",
    "with_statistics",
]
