import math
from dataclasses import replace
from itertools import pairwise

import pytest

from fewshot_film.config.config import Config
from fewshot_film.parts.schedule import auxiliary_share, learning_rate


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


def test_drops_by_hand() -> None:
    """TADAM on FC100: 10,000 steps, tenfold drops at 5,000, 7,500 and 10,000."""
    config = Config(steps=10_000, learning_rate=0.1, schedule="drops")
    expected = {0: 0.1, 4999: 0.1, 5000: 0.01, 7499: 0.01, 7500: 0.001, 9999: 0.001}
    for step, rate in expected.items():
        assert learning_rate(config, step) == pytest.approx(rate)
    longer = replace(config, steps=30_000)
    assert learning_rate(longer, 20_000) == pytest.approx(1e-4)


def test_the_share_of_co_training_by_hand() -> None:
    """0.9 in the first twentieth, 0.9 squared in the second, ..., 0.9^20 in the last."""
    config = Config(steps=200)
    expected = {0: 0.9, 9: 0.9, 10: 0.81, 199: 0.9**20}
    for step, share in expected.items():
        assert auxiliary_share(config, step) == pytest.approx(share)
    assert auxiliary_share(config, 199) == pytest.approx(0.12, abs=0.005)
