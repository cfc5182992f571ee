"""The learning rate of every step."""

from __future__ import annotations

import math

from fewshot_film.config import Config

WARM_UP = 0.02
"""Share of the steps over which the learning rate rises."""


def learning_rate(config: Config, step: int) -> float:
    """Linear over the first 2% of the steps, then half a cosine down to zero."""
    warm = max(1, round(WARM_UP * config.steps))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, config.steps - warm)
    return config.learning_rate * (1 + math.cos(math.pi * share)) / 2
