from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tqdm import tqdm

from fewshot_film.config.config import Config
from fewshot_film.config.problem import problem_of
from fewshot_film.errors import FewShotError
from fewshot_film.model.objective import Outcome
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.log import Log, diverged
from fewshot_film.runs.run import Run

CONFIG = Config(steps=30, validate_every=12, extractor="conv4:width=4", tasks=2)


def learner() -> Learner:
    return Learner(CONFIG, problem_of(CONFIG, Path()), torch.device("cpu"))


def log_steps(run: Run, losses: list[float], stop: int = -1) -> None:
    log, state = Log(run, CONFIG), learner()
    with tqdm(disable=True) as bar:
        for loss in losses:
            state.step += 1
            outcome = Outcome(torch.tensor(loss), torch.tensor(loss / 100))
            log.add(state, outcome, bar, now=state.step == stop)


def test_means_since_the_last_line(tmp_path: Path) -> None:
    """A line every ten steps, at every validation, and at the end."""
    log_steps(Run(tmp_path), [float(i) for i in range(1, 31)])
    records = Run(tmp_path).metrics()
    assert [r["step"] for r in records] == [10, 12, 20, 24, 30]
    assert [r["loss"] for r in records] == [5.5, 11.5, 16.5, 22.5, 27.5]
    assert [r["accuracy"] for r in records] == pytest.approx([r["loss"] / 100 for r in records])
    assert all(r["episodes_per_second"] > 0 for r in records)


def test_a_stop_loses_nothing(tmp_path: Path) -> None:
    log_steps(Run(tmp_path), [1.0, 2.0, 3.0], stop=3)
    assert [(r["step"], r["loss"]) for r in Run(tmp_path).metrics()] == [(3, 2.0)]


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_the_first_step_that_is_not_a_number_is_named(broken: float, tmp_path: Path) -> None:
    with pytest.raises(FewShotError, match="the loss is not finite at step 13 "):
        log_steps(Run(tmp_path), [1.0] * 13 + [broken] * 7)
    assert Run(tmp_path).metrics()[-1]["step"] == 12


def test_the_error_names_what_to_look_at() -> None:
    text = str(diverged("x", replace(CONFIG, learning_rate=0.5, seed=9), 0))
    assert text.startswith("x is not finite at step 0 (learning rate 0.5, episode seed 9, ")


def test_steps_without_queries_have_no_accuracy(tmp_path: Path) -> None:
    """Steps of co-training count for the loss alone; a line of nothing else has no accuracy."""
    log, state = Log(Run(tmp_path), CONFIG), learner()
    accuracies = [0.5, float("nan"), 0.7, *[float("nan")] * 9]
    with tqdm(disable=True) as bar:
        for accuracy in accuracies:
            state.step += 1
            outcome = Outcome(torch.tensor(1.0), torch.tensor(accuracy))
            log.add(state, outcome, bar, now=False)
    first, second = Run(tmp_path).metrics()
    assert first["accuracy"] == pytest.approx(0.6)
    assert second["step"] == 12
    assert "accuracy" not in second
