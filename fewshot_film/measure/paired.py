"""Intervals, and the comparison of two classifiers on the same episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

TIE = 1e-8
"""Means of differences this close are equal: accuracies are fractions, in files to 9 digits."""


@dataclass(frozen=True)
class Difference:
    """Mean of b - a over the same episodes, half its 95% interval, and its sign-flip p-value."""

    mean: float
    ci95: float
    p: float


def ci95(values: Float64[ndarray, " episode"]) -> float:
    """1.96 * s / sqrt(n), with s the sample standard deviation (n - 1); 0 for a single value."""
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def paired(
    a: Float64[ndarray, " episode"],
    b: Float64[ndarray, " episode"],
    *,
    flips: int = 10_000,
    seed: int = 0,
) -> Difference:
    """b - a on the same episodes: mean, 95% interval, and two-sided sign-flip permutation p-value.

    p = (1 + #{|flipped mean| >= |mean|}) / (1 + flips), under random signs of the differences.
    """
    differences = b - a
    rng = np.random.default_rng(seed)
    observed = abs(differences.mean())
    extreme = 0
    for count in [1000] * (flips // 1000) + [flips % 1000]:
        signs = rng.integers(0, 2, (count, len(differences)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((abs(signs @ differences) / len(differences) >= observed - TIE).sum())
    return Difference(float(differences.mean()), ci95(differences), (1 + extreme) / (1 + flips))
