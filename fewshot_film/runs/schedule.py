"""What changes over a training: the learning rate, and how often a step is one of co-training."""

from __future__ import annotations

import math

from fewshot_film.config.config import Config

WARM_UP = 0.02
"""Share of the steps over which the learning rate rises."""


DROPS = (0, 2500, 5000)
"""Steps after half of the training at which the dropping schedule divides by ten (TADAM)."""


def learning_rate(config: Config, step: int) -> float:
    """The learning rate of a step, by the schedule that the Config names."""
    return SCHEDULES[config.schedule](config, step)


def cosine(config: Config, step: int) -> float:
    """Linear over the first 2% of the steps, then half a cosine down to zero."""
    warm = max(1, round(WARM_UP * config.steps))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, config.steps - warm)
    return config.learning_rate * (1 + math.cos(math.pi * share)) / 2


def drops(config: Config, step: int) -> float:
    """Constant to half of the steps, then divided by ten there, 2,500 and 5,000 steps later."""
    passed = sum(step >= config.steps // 2 + later for later in DROPS)
    return config.learning_rate * 0.1**passed


SCHEDULES = {"cosine": cosine, "drops": drops}


def auxiliary_share(config: Config, step: int) -> float:
    """0.9^(floor(20 t / T) + 1): the probability that step t of T is one of co-training (TADAM)."""
    return 0.9 ** (20 * step // config.steps + 1)
