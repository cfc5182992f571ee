"""bfloat16, which the recipes train in, goes where float32 goes."""

from dataclasses import replace
from pathlib import Path

import making
import pytest
import torch
from running import QUIET
from torch import Tensor

from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import Config, suited
from fewshot_film.config.problem import problem_of
from fewshot_film.config.protocol import Question
from fewshot_film.measure.paired import Difference, paired
from fewshot_film.runs import step
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.step import Step
from fewshot_film.runs.training import fit

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _imitated(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 on every machine: one that lacks it imitates it, slowly."""
    monkeypatch.setattr(step, "has_bfloat16", lambda _device: True)


CONFIG = default_config(
    "glyphs-characters",
    adapter="none",
    extractor="conv4:width=16",
    tasks=4,
    steps=400,
    validate_every=400,
    validation_episodes=10,
)


@pytest.mark.parametrize("extractor", ["conv4:width=32", "resnet12:width=12"])
@pytest.mark.parametrize("adapter", ["none", "learned"])
@pytest.mark.slow
def test_gradients_point_the_same_way(extractor: str, adapter: str) -> None:
    """The cosine between the gradients of all convolutions, at the start and after ten steps."""
    config = Config(dataset="omniglot", size=making.SIZE, learning_rate=1e-3, steps=20)
    config = suited(config, extractor=extractor, adapter=adapter)
    low, high = Step(replace(config, precision="bfloat16"), CPU), Step(config, CPU)
    a, b = (Learner(config, problem_of(config, Path()), CPU) for _ in range(2))
    for number in range(11):
        episode = making.episode(tasks=4, seed=number)
        low(a, episode)
        high(b, episode)
        if number in (0, 10):
            assert torch.cosine_similarity(gradient(a), gradient(b), dim=0) > 0.9
        a.modules.load_state_dict(b.modules.state_dict())


def gradient(learner: Learner) -> Tensor:
    grads = [p.grad for p in learner.classifier.features.extractor.parameters()]
    return torch.cat([g.flatten() for g in grads if g is not None and g.ndim == 4])


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")  # twice as fast, and other tests check the types
def test_the_accuracy_does_not_move(tmp_path: Path) -> None:
    """Paired on 300 episodes a seed. Two trainings that differ in rounding alone end apart, one way
    or the other, less so the longer they are: of 400 steps with a deviation of 0.6 points over 8
    pairs, of 150 steps with one of 2."""
    low, high = replace(CONFIG, precision="bfloat16"), CONFIG
    differences = [difference(high, low, seed, tmp_path) for seed in range(2)]
    assert sum(d.mean for d in differences) / 2 > -0.02, differences


def difference(a: Config, b: Config, seed: int, out: Path) -> Difference:
    reports = []
    for config in (a, b):
        run = out / f"{config.precision}-{seed}"
        fit(replace(config, seed=seed), run, QUIET)
        question = Question(episodes=300, split="val")
        reports.append(evaluate_run(run, question, QUIET).evaluation)
    assert all(report.accuracy > 0.5 for report in reports), "both have learned"
    return paired(reports[0].accuracies, reports[1].accuracies)
