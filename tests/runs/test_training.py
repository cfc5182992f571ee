import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import making
import pytest
import running
import torch
from running import QUIET, picture_folder

from fewshot_film.base.files import load_tensors
from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import Config, suited
from fewshot_film.config.machine import Machine
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.config.protocol import Question
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.parts.normalization import NORMALIZATIONS
from fewshot_film.runs import step, training
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.report import report_of
from fewshot_film.runs.run import Run
from fewshot_film.runs.step import Step, learning_rate
from fewshot_film.runs.training import Session, fit
from fewshot_film.runs.trial import trial
from fewshot_film.runs.variants import load
from fewshot_film.tasks.episode import Episode

CPU = torch.device("cpu")
SHORT = default_config(**running.SHORT)
CHARACTERS = default_config("glyphs-new-typefaces", adapter="none", **running.SHORT)
"""Plain tasks, which are drawn faster than those in several renderings."""
STEPPING = replace(SHORT, size=making.SIZE, dataset="omniglot")
"""What a step of any tasks needs, without a data set."""


@cache
def characters() -> Problem:
    """The data of CHARACTERS, for whoever only reads them."""
    return problem_of(CHARACTERS, Path())


def go(config: Config, out: Path, *, machine: Machine = QUIET, resume: bool = False) -> Run:
    return fit(config, out, machine, resume=resume)


def learner_of(config: Config) -> Learner:
    return Learner(config, problem_of(config, Path()), CPU)


def session(config: Config, problem: Problem, out: Path) -> Session:
    return Session(Run(out), config, problem, Learner(config, problem, CPU), CPU, progress=False)


def test_samplers_follow_the_config(tmp_path: Path) -> None:
    config = replace(SHORT, way=4, test_way=2)
    problem = problem_of(config, Path())
    samplers = session(config, problem, tmp_path).samplers
    assert {split: s.way for split, s in samplers.items()} == {"val": 2, "test": 2}
    assert all((s.shot, s.query) == (2, 2) for s in samplers.values())
    assert not any("unseen" in group for group in samplers["val"].groups)
    assert any("unseen" in group for group in samplers["test"].groups)


def test_images_take_the_size_of_the_config(tmp_path: Path) -> None:
    config = replace(CHARACTERS, size=20)
    problem = problem_of(config, Path())
    episode = session(config, problem, tmp_path).episodes.at(0)
    assert episode.support.images.shape[2:] == (1, 20, 20)
    assert len(problem.loaded) == 3
    assert {images.images.shape[1:] for images in problem.loaded.values()} == {(1, 20, 20)}


def test_what_the_test_lacks_is_said_before_training(tmp_path: Path) -> None:
    """The smallest class of the test has too few pictures."""
    folder = tmp_path / "pictures"
    for split, each in (("train", 9), ("val", 9), ("test", 3)):
        picture_folder(folder / split, classes=4, each=each)
        for path in (folder / split).iterdir():
            path.rename(path.with_name(f"{split}-{path.name}"))
    config = replace(SHORT, data=str(folder), channels=3, size=20)
    with pytest.raises(UsageError, match=r"class 'test-class0\d' has 3 images"):
        go(config, tmp_path / "run", machine=replace(QUIET, data_root=tmp_path))
    assert not (tmp_path / "run").exists()


def test_a_step_trains_every_part() -> None:
    learner, step = learner_of(STEPPING), Step(STEPPING, CPU)
    learner.modules.eval()
    before = {key: value.clone() for key, value in learner.classifier.state_dict().items()}
    for _ in range(2):
        outcome = step(learner, making.episode())
    assert learner.step == 2
    assert learner.modules.training
    assert outcome.loss.isfinite()
    after = learner.classifier.state_dict()
    assert any("running_mean" in key and not torch.equal(after[key], before[key]) for key in after)
    assert learner.optimizer.param_groups[0]["lr"] == learning_rate(STEPPING, 1)


def test_a_longer_gradient_is_shortened() -> None:
    """The weights of plain descent move by the rate times the clipped gradient."""
    config = replace(STEPPING, optimizer="sgd:momentum=0.0", schedule="drops", learning_rate=0.5)
    moved = []
    for norm in (None, 0.25, 1e9):
        learner = learner_of(config)
        before = [p.detach().clone() for p in learner.modules.parameters()]
        Step(replace(config, clip_norm=norm), CPU)(learner, making.episode())
        after = [p.detach() for p in learner.modules.parameters()]
        changes = [(a - b).flatten() for a, b in zip(after, before, strict=True)]
        moved.append(float(torch.cat(changes).norm()) / 0.5)
    free, short, long = moved
    assert free > 0.26
    assert short == pytest.approx(0.25, rel=1e-3)
    assert long == pytest.approx(free, rel=1e-3)


def test_bfloat16_leaves_the_weights_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "has_bfloat16", lambda _device: True)
    low, high = learner_of(STEPPING), learner_of(STEPPING)
    a = Step(replace(STEPPING, precision="bfloat16"), CPU)(low, making.episode())
    b = Step(STEPPING, CPU)(high, making.episode())
    assert all(p.dtype == torch.float32 for p in low.modules.parameters())
    low_loss, high_loss = (outcome.loss.detach().item() for outcome in (a, b))
    assert low_loss == pytest.approx(high_loss, rel=0.05)
    assert low_loss != high_loss


def test_a_device_without_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "has_bfloat16", lambda _device: False)
    losses = [
        Step(config, CPU)(learner_of(STEPPING), making.episode()).loss
        for config in (replace(STEPPING, precision="bfloat16"), STEPPING)
    ]
    assert losses[0] == losses[1]


def test_training_learns(tmp_path: Path) -> None:
    """The training loss of characters falls."""
    config = replace(CHARACTERS, steps=60, validate_every=60, tasks=4)
    losses = [m["loss"] for m in go(config, tmp_path / "run").metrics() if "loss" in m]
    assert losses[-1] < 0.9 * losses[0]


def test_best_is_best_by_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, scores = evaluate, iter((0.3, 0.9, 0.9, 0.5))

    def scored(*args: Any, **others: Any) -> Any:
        result = real(*args, **others)
        return replace(result, accuracies=result.accuracies * 0 + next(scores))

    monkeypatch.setattr(training, "evaluate", scored)
    run = fit(
        replace(CHARACTERS, steps=4, validate_every=1),
        tmp_path / "run",
        QUIET,
        problem=characters(),
    )
    about = load_tensors(run.best_file)[1]
    assert about["step"] == "2"
    assert float(about["validation_accuracy"]) == pytest.approx(0.9)
    checks = [m for m in run.metrics() if "val_accuracy" in m]
    assert [m["val_accuracy"] for m in checks] == pytest.approx([0.3, 0.9, 0.9, 0.5])
    assert load_tensors(run.last_file)[1]["step"] == "4"


def test_the_last_step_is_always_validated(tmp_path: Path) -> None:
    run = fit(
        replace(CHARACTERS, steps=5, validate_every=3),
        tmp_path / "run",
        QUIET,
        problem=characters(),
    )
    assert [m["step"] for m in run.metrics() if "val_accuracy" in m] == [3, 5]


def test_one_seed_draws_the_same_episodes_and_another_seed_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[torch.Tensor]] = {"a": [], "b": [], "c": []}
    real = Step.__call__
    for name, config in (
        ("a", CHARACTERS),
        ("b", suited(CHARACTERS, adapter="learned", extractor="conv4:width=6")),
        ("c", replace(CHARACTERS, seed=1)),
    ):

        def remember(step: Step, learner: Learner, episode: Episode, name: str = name) -> Any:
            drawn[name].append(episode.query.images)
            return real(step, learner, episode)

        monkeypatch.setattr(Step, "__call__", remember)
        fit(config, tmp_path / name, QUIET, problem=characters())
    assert len(drawn["a"]) == 6
    assert all(torch.equal(x, y) for x, y in zip(drawn["a"], drawn["b"], strict=True))
    assert not any(torch.equal(x, y) for x, y in zip(drawn["a"], drawn["c"], strict=True))
    assert not torch.equal(drawn["a"][0], drawn["a"][1])


def test_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    fit(replace(CHARACTERS, steps=1), tmp_path / "run", QUIET, problem=characters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_problem_that_is_there_is_taken(tmp_path: Path) -> None:
    """Nothing is loaded again, and the run is the same."""
    config = replace(CHARACTERS, steps=1)
    problem = problem_of(config, Path())
    for split in ("train", "val", "test"):
        problem.images(split)
    source = replace(problem.entry.source, load=never)
    given = replace(problem, entry=replace(problem.entry, source=source))
    run = fit(config, tmp_path / "given", QUIET, problem=given)
    running.assert_same(run.path, go(config, tmp_path / "made").path)


def never(root: Path, split: str) -> Any:
    raise AssertionError(f"{split} of {root} is loaded already")


def test_what_cannot_be_built_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    """No data set lies here, and none is asked for."""
    machine = replace(QUIET, data_root=tmp_path / "root")
    digits = default_config("digits")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"objective": "classify", "normalization": "meta"}, "has no support sets for"),
        ({"adapter": "none", "optimizer": "adamw:generator_decay=1"}, "are of a generator"),
        ({"objective": "episodes:attribute_weight=1"}, "digits asks for none"),
        ({"adapter": "adaptive-batch-norm:film=own"}, "own FiLM"),
        ({"encoder": "prototype-mean:statistics=running", "normalization": "layer"}, "has none"),
        ({"conditioning": "none"}, "nothing to generate"),
    )
    for changes, says in cases:
        with pytest.raises(UsageError, match=says):
            go(suited(digits, **changes), tmp_path / "run", machine=machine)
    with pytest.raises(FewShotError, match=r"there is no folder|could not download"):
        go(digits, tmp_path / "run", machine=machine)
    assert not (tmp_path / "run").exists()


# --- what is finished


@pytest.mark.slow
def test_a_finished_run_needs_no_data(tmp_path: Path) -> None:
    """It is given back at once; another config is not taken for it."""
    folder = picture_folder(tmp_path / "pictures")
    config = replace(CHARACTERS, data=str(folder), channels=3, size=20, shot=1, query=1, steps=1)
    root, out = tmp_path / "root", tmp_path / "run"
    machine = replace(QUIET, data_root=root)
    assert running.command(*words_of(folder, out, root)) == 0
    shutil.rmtree(folder)
    shutil.rmtree(root)
    run = Run(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert go(run.config(), out, machine=machine, resume=True).path == out
    assert running.command(*words_of(folder, out, root), "--resume") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    for other in (replace(run.config(), steps=2), replace(config, seed=1)):
        with pytest.raises(UsageError, match="there is no folder"):
            go(other, out, machine=machine, resume=True)
    with pytest.raises(UsageError, match="there is no folder"):
        go(run.config(), out, machine=machine)


def words_of(folder: Path, out: Path, root: Path) -> list[object]:
    changes = {"steps": 1, "size": 20, "shot": 1, "query": 1, "channels": 3}
    return ["train", *running.flags(**changes), "--data", folder, "--out", out, "--data-root", root]


# --- every normalization


@pytest.mark.parametrize("name", NORMALIZATIONS.names)
@pytest.mark.slow
def test_every_normalization_from_end_to_end(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained and validated, the same after a crash, loaded, evaluated and adapted."""
    problem = characters()
    config = suited(CHARACTERS, adapter="learned", encoder=SHORT.encoder, normalization=name)
    run = fit(config, tmp_path / "whole", QUIET, problem=problem)
    with monkeypatch.context() as patch:
        running.before_step(4, patch, running.cut)
        with pytest.raises(running.PowerCut):
            fit(config, tmp_path / "cut", QUIET, problem=problem)
    resumed = fit(config, tmp_path / "cut", QUIET, problem=problem, resume=True)
    running.assert_same(resumed.path, run.path)
    put = trial(run.path, Question(episodes=4), QUIET, problem=problem)
    report = report_of(str(run.path), put, QUIET)
    assert report.protocol.transductive == (name == "transductive")
    model = load(run.path, "cpu")
    images, labels = making.pictures(6, size=28), ["a", "a", "b", "b", "c", "c"]
    adapted, queries = model.adapt(images, labels), making.pictures(4, size=28, seed=1)
    logits = adapted(queries)
    assert logits.shape == (4, 3)
    assert logits.isfinite().all()
    alone = torch.cat([adapted(queries[i : i + 1]) for i in range(4)])
    moved = float((alone - logits).detach().abs().max() / logits.abs().max())
    assert (moved > 1e-3) == (name == "transductive")
