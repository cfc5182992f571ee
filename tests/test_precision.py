"""bfloat16, which the recipes train in, ends where float32 ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from fewshot_film.config import Config, default_config
from fewshot_film.evaluation import Difference, ci95, paired
from fewshot_film.report import evaluate_run
from fewshot_film.training import fit

CONFIG = replace(
    default_config("glyphs-characters"),
    conditioning="none",
    width=16,
    tasks=4,
    steps=150,
    validate_every=150,
    validation_episodes=10,
)


@pytest.mark.slow
def test_the_accuracy_does_not_move(tmp_path: Path) -> None:
    """Paired on 300 episodes: no more than the points or two that any other rounding moves it."""
    low, high = replace(CONFIG, precision="bfloat16"), CONFIG
    differences = [difference(high, low, seed, tmp_path) for seed in range(2)]
    assert all(abs(d.mean) < 0.06 for d in differences), differences


def difference(a: Config, b: Config, seed: int, out: Path) -> Difference:
    reports = []
    for config in (a, b):
        run = out / f"{config.precision}-{seed}"
        fit(replace(config, seed=seed), run, device="cpu", progress=False)
        reports.append(evaluate_run(run, episodes=300, split="val", device="cpu").evaluation)
    assert all(report.accuracy > 0.8 for report in reports), "both have learned"
    assert all(ci95(report.accuracies) < 0.02 for report in reports)
    return paired(reports[0].accuracies, reports[1].accuracies)
