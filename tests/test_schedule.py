import math
from itertools import pairwise

import pytest

from fewshot_film.config import Config
from fewshot_film.schedule import learning_rate


def test_by_hand() -> None:
    """100 steps: two of warm-up, then half a cosine over 98."""
    config = Config(steps=100, learning_rate=2.0)
    expected = {0: 1.0, 1: 2.0, 2: 2.0, 51: 1.0, 99: 1 + math.cos(math.pi * 97 / 98)}
    for step, rate in expected.items():
        assert learning_rate(config, step) == pytest.approx(rate)


def test_it_rises_and_falls_and_stays_above_zero() -> None:
    config = Config(steps=500, learning_rate=0.1)
    rates = [learning_rate(config, step) for step in range(500)]
    assert rates[:10] == pytest.approx([0.01 * i for i in range(1, 11)])
    assert all(a >= b > 0 for a, b in pairwise(rates[9:]))
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 2])
def test_very_short_runs(steps: int) -> None:
    config = Config(steps=steps, learning_rate=0.1)
    assert [learning_rate(config, step) for step in range(steps)] == pytest.approx([0.1] * steps)
