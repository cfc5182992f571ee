import math
from itertools import pairwise

import pytest

from fewshot_film.parts.schedule import SCHEDULES, auxiliary_share, cosine, drops


def test_by_hand() -> None:
    """100 steps: two of warm-up, then half a cosine over 98."""
    expected = {0: 1.0, 1: 2.0, 2: 2.0, 51: 1.0, 99: 1 + math.cos(math.pi * 97 / 98)}
    for step, rate in expected.items():
        assert cosine(2.0, 100, step) == pytest.approx(rate)


def test_it_rises_and_falls_and_stays_above_zero() -> None:
    rates = [cosine(0.1, 500, step) for step in range(500)]
    assert rates[:10] == pytest.approx([0.01 * i for i in range(1, 11)])
    assert all(a >= b > 0 for a, b in pairwise(rates[9:]))
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 2])
def test_very_short_runs(steps: int) -> None:
    assert [cosine(0.1, steps, step) for step in range(steps)] == pytest.approx([0.1] * steps)


def test_drops_by_hand() -> None:
    """TADAM on FC100: 10,000 steps, tenfold drops at 5,000, 7,500 and 10,000."""
    expected = {0: 0.1, 4999: 0.1, 5000: 0.01, 7499: 0.01, 7500: 0.001, 9999: 0.001}
    for step, rate in expected.items():
        assert drops(0.1, 10_000, step) == pytest.approx(rate)
    assert drops(0.1, 30_000, 20_000) == pytest.approx(1e-4)


@pytest.mark.parametrize("name", SCHEDULES.names)
def test_every_schedule_is_in_proportion_to_the_learning_rate(name: str) -> None:
    """It starts at no more than that, and never rises above it."""
    schedule = SCHEDULES.read(name)
    for step in range(60):
        rate = schedule(learning_rate=0.1, steps=60, step=step)
        assert 0 < rate <= 0.1
        assert schedule(learning_rate=0.3, steps=60, step=step) == pytest.approx(3 * rate)


def test_the_share_of_co_training_by_hand() -> None:
    """0.9 in the first twentieth, 0.9 squared in the second, ..., 0.9^20 in the last."""
    expected = {0: 0.9, 9: 0.9, 10: 0.81, 199: 0.9**20}
    for step, share in expected.items():
        assert auxiliary_share(200, step) == pytest.approx(share)
    assert auxiliary_share(200, 199) == pytest.approx(0.12, abs=0.005)
