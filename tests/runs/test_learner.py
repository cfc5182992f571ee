from dataclasses import replace
from pathlib import Path
from typing import Any

import making
import pytest
import torch

from fewshot_film.base.files import load_tensors, save_tensors
from fewshot_film.config.config import Config, suited
from fewshot_film.config.problem import problem_of
from fewshot_film.errors import UsageError
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.step import Step
from fewshot_film.tasks.episode import LabeledSet

TINY = Config(
    dataset="omniglot",
    size=making.SIZE,
    extractor="conv4:width=4",
    steps=10,
    encoder="discriminative:width=4",
)
CPU = torch.device("cpu")


def learner_of(config: Config) -> Learner:
    return Learner(config, problem_of(config, Path()), CPU)


def trained(config: Config, steps: int) -> Learner:
    learner = learner_of(config)
    go_on(learner, config, steps)
    return learner


def go_on(learner: Learner, config: Config, steps: int) -> None:
    step = Step(config, CPU)
    for _ in range(steps):
        step(learner, making.episode(seed=learner.step))


def state(learner: Learner) -> dict[str, Any]:
    moments = learner.optimizer.state_dict()["state"]
    flat = {f"{i} {name}": value for i, s in moments.items() for name, value in s.items()}
    return {**learner.modules.state_dict(), **flat}


@pytest.mark.parametrize("adapter", ["learned", "none"])
@pytest.mark.parametrize("extractor", ["conv4:width=4", "resnet12:width=4"])
def test_a_restored_learner_goes_on_as_the_first(
    adapter: str, extractor: str, tmp_path: Path
) -> None:
    """Moments must lie in memory as their weights do: a fused optimizer pairs them by address."""
    config = suited(TINY, adapter=adapter, extractor=extractor)
    first = trained(config, 3)
    first.best = 0.375
    first.save(tmp_path / "last")
    second = learner_of(replace(config, seed=5))
    second.restore(tmp_path / "last")
    assert (second.step, second.best) == (3, 0.375)
    for learner in (first, second):
        go_on(learner, config, 3)
    a, b = state(first), state(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd:decay=0.1", "auxiliary": "instead"},
        {"optimizer": "sgd:decay=0.1", "auxiliary": "addition", "generator": "per-site"},
        {"auxiliary": "addition", "precision": "bfloat16"},
        {"extractor": "wide-resnet12:width=4", "encoder": "prototype-mean:statistics=uncounted"},
    ],
    ids=str,
)
def test_every_way_to_train_goes_on_bit_for_bit(changes: dict[str, Any], tmp_path: Path) -> None:
    """With masks of DropBlock, and a co-training whose weights get their first gradient late."""
    config = replace(TINY, encoder="prototype-mean", optimizer="adamw:decay=0.1")
    config = replace(config, **changes)
    first = learner_of(config)
    go_on_with_batches(first, config, 3)
    first.save(tmp_path / "last")
    second = learner_of(replace(config, seed=5))
    second.restore(tmp_path / "last")
    for learner in (first, second):
        go_on_with_batches(learner, config, 3)
    a, b = state(first), state(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def go_on_with_batches(learner: Learner, config: Config, steps: int) -> None:
    """The fourth step is the first with a co-training batch."""
    step = Step(config, CPU)
    for _ in range(steps):
        episode = making.episode(seed=learner.step)
        batch = LabeledSet(making.pictures(1, 6, seed=learner.step), torch.arange(6).unsqueeze(0))
        step(learner, replace(episode, auxiliary=batch if learner.step > 2 else None))


def test_moments_have_the_strides_of_their_weights(tmp_path: Path) -> None:
    trained(TINY, 1).save(tmp_path / "last")
    learner = learner_of(TINY)
    learner.restore(tmp_path / "last")
    pairs = [(p, s["exp_avg"]) for p, s in learner.optimizer.state.items()]
    assert any(not p.is_contiguous() for p, _ in pairs)
    assert all(p.stride() == moment.stride() for p, moment in pairs)


def test_the_classifier_alone(tmp_path: Path) -> None:
    learner = trained(TINY, 2)
    learner.best = 0.5
    learner.save_classifier(tmp_path / "best")
    tensors, about = load_tensors(tmp_path / "best")
    assert about == {"step": "2", "validation_accuracy": "0.5"}
    assert tensors.keys() == learner.classifier.state_dict().keys()
    with pytest.raises(UsageError, match="does not fit"):
        learner.restore(tmp_path / "best")


@pytest.mark.parametrize("about", [{}, {"step": "1"}, {"step": "x", "best": "0"}])
def test_a_file_that_does_not_say_its_step(about: dict[str, str], tmp_path: Path) -> None:
    learner = trained(TINY, 1)
    learner.save(tmp_path / "last")
    save_tensors(tmp_path / "last", load_tensors(tmp_path / "last")[0], about)
    with pytest.raises(UsageError, match="does not say its step"):
        learner.restore(tmp_path / "last")
