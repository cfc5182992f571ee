import json
from dataclasses import replace
from pathlib import Path

import pytest
import running
import torch

from fewshot_film.base.files import load_tensors, load_weights
from fewshot_film.config.config import Config, suited
from fewshot_film.errors import UsageError
from fewshot_film.runs.run import Run
from fewshot_film.runs.variants import load


def test_the_config_comes_back(tmp_path: Path) -> None:
    config = Config(way=7, conditioning="gate", data="x", extractor="conv4:width=7")
    Run(tmp_path).create(config)
    assert Run(tmp_path).config() == config


def test_a_lock_is_held_and_let_go(tmp_path: Path) -> None:
    run = Run(tmp_path / "a" / "b")
    for _ in range(2):
        with run.locked(), pytest.raises(UsageError, match="in use by another process"):
            Run(run.path).locked().__enter__()


def test_metrics(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.metrics() == []
    run.forget_metrics_after(3)
    assert not run.metrics_file.exists()
    records = [{"step": step, "loss": 0.5} for step in (1, 2, 2, 3, 4)]
    for record in records:
        run.append_metrics(record)
    assert run.metrics() == records
    run.forget_metrics_after(2)
    assert run.metrics() == records[:3]
    run.append_metrics({"step": 5})
    run.forget_metrics_after(0)
    assert run.metrics() == []


@pytest.mark.parametrize("torn", ['{"step": 2, "lo', "{", '{"step": 2, "loss": 1.0'])
def test_a_torn_line(torn: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append_metrics({"step": 1})
    with run.metrics_file.open("a") as file:
        file.write(torn)
    run.forget_metrics_after(9)
    assert run.metrics() == [{"step": 1}]


def test_load_gives_the_best_weights(trained: Path) -> None:
    model = load(trained, "cpu")
    expected, _ = load_tensors(trained / "best.safetensors")
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())


def test_load_is_not_touched_by_the_global_generator(trained: Path) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    load(trained, "cpu")
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_of_another_config(tmp_path: Path, trained: Path) -> None:
    run = running.copy(trained, tmp_path / "run")
    config = Run(trained).config()
    for change in ({"extractor": "conv4:width=5"}, {"adapter": "none"}, {"generator": "per-site"}):
        Run(run).create(suited(config, **change))
        with pytest.raises(UsageError, match=r"best.safetensors does not fit its config.json: "):
            load(run)


def test_every_weight_must_be_there_and_none_left_over() -> None:
    module = torch.nn.Linear(2, 1)
    whole = module.state_dict()
    load_weights(module, whole, Path("x"))
    for wrong in ({"weight": whole["weight"]}, {**whole, "more": torch.zeros(1)}):
        with pytest.raises(UsageError, match="x does not fit"):
            load_weights(module, wrong, Path("x"))


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run folder"):
        Run(tmp_path).config()
    with pytest.raises(UsageError, match="is not a run folder"):
        load(tmp_path / "nowhere")
    Run(tmp_path).create(Config())
    with pytest.raises(UsageError, match="does not exist: the run was not validated yet"):
        load(tmp_path)


def test_a_run_that_is_mistyped(trained: Path) -> None:
    typed = trained.with_name(f"{trained.name}x")
    with pytest.raises(UsageError, match=f"did you mean {trained}?"):
        Run(typed).config()
    with pytest.raises(UsageError) as found:
        Run(trained.with_name("qqqq")).config()
    assert "did you mean" not in str(found.value)


def test_whether_a_run_is_finished(
    tmp_path: Path, trained: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Run(trained).config()
    assert Run(trained).is_finished(config)
    assert not Run(trained).is_finished(replace(config, seed=1))
    assert not Run(trained).is_finished(replace(config, steps=7))
    assert not Run(tmp_path).is_finished(config)
    assert not Run(running.unfinished(tmp_path / "a", monkeypatch, after=1)).is_finished(config)
    assert not Run(stopped).is_finished(config)
    lost = running.copy(trained, tmp_path / "c")
    (lost / "last.safetensors").unlink()
    assert not Run(lost).is_finished(config)


def test_a_run_of_an_earlier_version(tmp_path: Path, trained: Path) -> None:
    """Its config knows nothing of what came later."""
    run = running.copy(trained, tmp_path / "run")
    values = json.loads((run / "config.json").read_text())
    later = ("train_domains", "test_domains", "objective", "adapter", "normalization", "head")
    assert all(name in values for name in later)
    (run / "config.json").write_text(
        json.dumps({name: value for name, value in values.items() if name not in later})
    )
    assert Run(run).config() == Run(trained).config()
    expected = load(trained, "cpu").state_dict()
    found = load(run, "cpu").state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    words = ["--episodes", 4, "--device", "cpu"]
    assert running.command("evaluate", run, *words) == 0
    assert running.command("train", "--resume", "--out", run) == 0
