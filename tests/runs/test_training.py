import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import making
import pytest
import running
import torch
from running import picture_folder

from fewshot_film.base.files import load_tensors
from fewshot_film.config.build import NORMALIZATIONS
from fewshot_film.config.config import Config
from fewshot_film.config.catalog import default_config
from fewshot_film.errors import UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.runs import training
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run, load
from fewshot_film.parts.schedule import learning_rate
from fewshot_film.runs.training import evaluation_samplers, fit, load_splits
from fewshot_film.runs.step import step
from fewshot_film.config.protocol import Question

CPU = torch.device("cpu")
SHORT = replace(default_config(), **running.SHORT)
CHARACTERS = replace(SHORT, dataset="glyphs-characters", conditioning="none")


def go(config: Config, out: Path, **others: Any) -> Run:
    return fit(config, out, device="cpu", progress=False, **others)


def test_samplers_follow_the_config() -> None:
    config = replace(SHORT, way=4, test_way=2)
    samplers = evaluation_samplers(config, load_splits(config, Path(), CPU))
    assert {split: s.way for split, s in samplers.items()} == {"val": 2, "test": 2}
    assert all((s.shot, s.query) == (2, 2) for s in samplers.values())
    assert not any("unseen" in group for group in samplers["val"].groups)
    assert any("unseen" in group for group in samplers["test"].groups)


def test_images_take_the_size_of_the_config() -> None:
    sets = load_splits(replace(CHARACTERS, size=20), Path(), CPU)
    assert {split: images.images.shape[1:] for split, images in sets.items()} == dict.fromkeys(
        ("train", "val", "test"), (1, 20, 20)
    )


def test_what_the_test_lacks_is_said_before_training(tmp_path: Path) -> None:
    """The smallest class of the test has too few pictures."""
    folder = tmp_path / "pictures"
    for split, each in (("train", 9), ("val", 9), ("test", 3)):
        picture_folder(folder / split, classes=4, each=each)
        for path in (folder / split).iterdir():
            path.rename(path.with_name(f"{split}-{path.name}"))
    config = replace(SHORT, data=str(folder), channels=3, size=20)
    with pytest.raises(UsageError, match=r"class 'test-class0\d' has 3 images"):
        go(config, tmp_path / "run", root=tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_step_trains_every_part() -> None:
    learner = Learner(replace(SHORT, size=making.SIZE, dataset="omniglot"), CPU)
    learner.modules.eval()
    before = {key: value.clone() for key, value in learner.classifier.state_dict().items()}
    for _ in range(2):
        outcome = step(learner, making.episode(), SHORT)
    assert learner.step == 2
    assert learner.modules.training
    assert outcome.loss.isfinite()
    after = learner.classifier.state_dict()
    assert any("running_mean" in key and not torch.equal(after[key], before[key]) for key in after)
    assert learner.optimizer.param_groups[0]["lr"] == learning_rate(SHORT, 1)


def test_bfloat16_leaves_the_weights_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "has_bfloat16", lambda _device: True)
    config = replace(SHORT, size=making.SIZE, dataset="omniglot", precision="bfloat16")
    low, high = Learner(config, CPU), Learner(config, CPU)
    a = step(low, making.episode(), config)
    b = step(high, making.episode(), replace(config, precision="float32"))
    assert all(p.dtype == torch.float32 for p in low.modules.parameters())
    low_loss, high_loss = (outcome.loss.detach().item() for outcome in (a, b))
    assert low_loss == pytest.approx(high_loss, rel=0.05)
    assert low_loss != high_loss


def test_a_device_without_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "has_bfloat16", lambda _device: False)
    config = replace(SHORT, size=making.SIZE, dataset="omniglot")
    losses = [
        step(Learner(config, CPU), making.episode(), replace(config, precision=precision)).loss
        for precision in ("bfloat16", "float32")
    ]
    assert losses[0] == losses[1]


def test_training_learns(tmp_path: Path) -> None:
    """The training loss of characters falls."""
    config = replace(CHARACTERS, steps=60, validate_every=60, width=8, tasks=4)
    losses = [m["loss"] for m in go(config, tmp_path / "run").metrics() if "loss" in m]
    assert losses[-1] < 0.9 * losses[0]


def test_best_is_best_by_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, scores = evaluate, iter((0.3, 0.9, 0.9, 0.5))

    def scored(*args: Any, **others: Any) -> Any:
        result = real(*args, **others)
        return replace(result, accuracies=result.accuracies * 0 + next(scores))

    monkeypatch.setattr(training, "evaluate", scored)
    run = go(replace(CHARACTERS, steps=4, validate_every=1), tmp_path / "run")
    about = load_tensors(run.best_file)[1]
    assert about["step"] == "2"
    assert float(about["validation_accuracy"]) == pytest.approx(0.9)
    checks = [m for m in run.metrics() if "val_accuracy" in m]
    assert [m["val_accuracy"] for m in checks] == pytest.approx([0.3, 0.9, 0.9, 0.5])
    assert load_tensors(run.last_file)[1]["step"] == "4"


def test_the_last_step_is_always_validated(tmp_path: Path) -> None:
    run = go(replace(CHARACTERS, steps=5, validate_every=3), tmp_path / "run")
    assert [m["step"] for m in run.metrics() if "val_accuracy" in m] == [3, 5]


def test_one_seed_draws_the_same_episodes_and_another_seed_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[torch.Tensor]] = {"a": [], "b": [], "c": []}
    real = training.step
    for name, config in (
        ("a", CHARACTERS),
        ("b", replace(CHARACTERS, conditioning="film", width=6)),
        ("c", replace(CHARACTERS, seed=1)),
    ):

        def remember(learner: Learner, episode: Any, config: Config, name: str = name) -> Any:
            drawn[name].append(episode.query.images)
            return real(learner, episode, config)

        monkeypatch.setattr(training, "step", remember)
        go(config, tmp_path / name)
    assert len(drawn["a"]) == 6
    assert all(torch.equal(x, y) for x, y in zip(drawn["a"], drawn["b"], strict=True))
    assert not any(torch.equal(x, y) for x, y in zip(drawn["a"], drawn["c"], strict=True))
    assert not torch.equal(drawn["a"][0], drawn["a"][1])


def test_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    go(replace(CHARACTERS, steps=1), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), state)


# --- what is finished


def test_a_finished_run_needs_no_data(tmp_path: Path) -> None:
    """It is given back at once; another config is not taken for it."""
    folder = picture_folder(tmp_path / "pictures")
    config = replace(CHARACTERS, data=str(folder), channels=3, size=20, shot=1, query=1, steps=1)
    root, out = tmp_path / "root", tmp_path / "run"
    assert running.command(*words_of(folder, out, root)) == 0
    shutil.rmtree(folder)
    shutil.rmtree(root)
    run = Run(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert go(run.config(), out, root=root, resume=True).path == out
    assert running.command(*words_of(folder, out, root), "--resume") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    for other in (replace(run.config(), steps=2), replace(config, seed=1)):
        with pytest.raises(UsageError, match="there is no folder"):
            go(other, out, root=root, resume=True)
    with pytest.raises(UsageError, match="there is no folder"):
        go(run.config(), out, root=root)


def words_of(folder: Path, out: Path, root: Path) -> list[object]:
    changes = {"steps": 1, "size": 20, "shot": 1, "query": 1, "channels": 3}
    return ["train", *running.flags(**changes), "--data", folder, "--out", out, "--data-root", root]


# --- every normalization


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_every_normalization_from_end_to_end(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained and validated, the same after a crash, loaded, evaluated and adapted."""
    config = replace(SHORT, dataset="glyphs-characters", normalization=name)  # type: ignore[arg-type]
    run = go(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        running.before_step(4, patch, running.cut)
        with pytest.raises(running.PowerCut):
            go(config, tmp_path / "cut")
    running.assert_same(go(config, tmp_path / "cut", resume=True).path, run.path)
    report = evaluate_run(run.path, Question(episodes=4), device="cpu")
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
