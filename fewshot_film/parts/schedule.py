"""What changes over a training: the learning rate, and how often a step is one of co-training."""

from __future__ import annotations

import math

from fewshot_film.base.family import Family

WARM_UP = 0.02
"""Share of the steps over which the learning rate rises."""

DROPS = (0, 2500, 5000)
"""Steps after half of the training at which the dropping schedule divides by ten (TADAM)."""


def cosine(learning_rate: float, steps: int, step: int) -> float:
    """Linear over the first 2% of the steps, then half a cosine down to zero (Loshchilov 2017)."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, steps - warm)
    return learning_rate * (1 + math.cos(math.pi * share)) / 2


def drops(learning_rate: float, steps: int, step: int) -> float:
    """A tenth from half of the steps on, and 2,500 and 5,000 later (TADAM's code, 2018)."""
    passed = sum(step >= steps // 2 + later for later in DROPS)
    return learning_rate * 0.1**passed


SCHEDULES: Family[float] = Family(
    "schedule", ("learning_rate", "steps", "step"), cosine=cosine, drops=drops
)


def auxiliary_share(steps: int, step: int) -> float:
    """0.9^(floor(20 t / T) + 1): the probability that step t of T is one of co-training (TADAM)."""
    return 0.9 ** (20 * step // steps + 1)
