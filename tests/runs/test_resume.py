"""A run that is stopped in any way goes on to the weights that it would have ended with."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import running
from running import assert_same, complaint, finished, flags, process, train, unfinished

from fewshot_film.base.files import load_tensors
from fewshot_film.runs.run import Run

pytestmark = pytest.mark.usefixtures("unchecked")

CLOCK = ("episodes_per_second", "seconds")


def untimed(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what depends on the clock."""
    return [{k: v for k, v in m.items() if k not in CLOCK} for m in Run(run).metrics()]


def progressed(run: Path, child: "subprocess.Popen[str]", lines: int) -> None:
    """Wait until the child has logged so many lines and saved a checkpoint."""
    for _ in range(6000):
        written = (run / "metrics.jsonl").read_bytes() if (run / "metrics.jsonl").exists() else b""
        if written.count(b"\n") >= lines and (run / "last.safetensors").exists():
            return
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.005)
    raise TimeoutError


LONG: dict[str, Any] = {"steps": 32, "validate_every": 4}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "uninterrupted"
    assert train(out, **LONG) == 0
    return out


@pytest.mark.slow
def test_kill_9_then_resume(tmp_path: Path, uninterrupted: Path) -> None:
    run = tmp_path / "killed"
    child = process("train", *flags(**LONG), "--out", run)
    progressed(run, child, 5)
    child.kill()
    assert finished(child)[0] == -signal.SIGKILL
    assert 4 <= int(load_tensors(run / "last.safetensors")[1]["step"]) < 32
    assert not (run / "test.json").exists()
    assert running.command("train", "--resume", "--out", run, "--device", "cpu") == 0
    assert_same(run, uninterrupted)
    assert untimed(run) == untimed(uninterrupted)
    a, b = (json.loads((r / "test.json").read_text()) for r in (run, uninterrupted))
    assert a["accuracies"] == b["accuracies"]


@pytest.mark.slow
def test_ctrl_c_then_resume(tmp_path: Path, uninterrupted: Path) -> None:
    run = tmp_path / "stopped"
    child = process("train", *flags(**LONG), "--out", run)
    progressed(run, child, 3)
    child.send_signal(signal.SIGINT)
    code, _, err = finished(child)
    assert code == 130
    step = int(load_tensors(run / "last.safetensors")[1]["step"])
    assert complaint(err) == f"stopped at step {step}; go on with --resume --out {run}"
    assert 4 <= step < 32
    running.go_on(run)
    assert_same(run, uninterrupted)


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, uninterrupted: Path) -> None:
    """Later and later: at once, while importing, stepping, validating, saving or testing."""
    run, rng, kills = tmp_path / "killed", random.Random(0), 0
    while not (run / "test.json").exists():
        child = process("train", *flags(**LONG), "--out", run, "--resume")
        try:
            child.wait(kills * rng.uniform(0.4, 1.2))
        except subprocess.TimeoutExpired:
            child.kill()
            kills += 1
        assert finished(child)[0] in (0, -signal.SIGKILL)
    assert kills > 0
    assert_same(run, uninterrupted)
    assert untimed(run) == untimed(uninterrupted)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_crash_at_any_step(
    after: int, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch, after)
    assert (run / "last.safetensors").exists() == (after >= 3)
    running.go_on(run)
    assert_same(run, trained)
    assert untimed(run) == untimed(trained)


def test_a_torn_line_of_metrics_is_dropped(stopped: Path, trained: Path) -> None:
    with (stopped / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "loss": 1.5}\n{"step": 5, "lo')
    running.go_on(stopped)
    assert untimed(stopped) == untimed(trained)


@pytest.mark.parametrize("step", [0, 2])
def test_ctrl_c_at_any_step(
    step: int, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        running.before_step(step, patch, running.press_ctrl_c)
        assert train(run) == 130
    assert Run(run).metrics()[-1]["step"] == step + 1
    running.go_on(run)
    assert_same(run, trained)


def test_ctrl_c_does_not_save_broken_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    running.before_step(2, monkeypatch, running.press_ctrl_c)
    words = ["train", *flags(validate_every=6, learning_rate=1e30), "--out", run]
    assert "the loss is not finite at step 1 " in running.refused(capsys, 1, *words)
    assert not (run / "last.safetensors").exists()


@pytest.mark.slow
def test_two_runs_of_one_seed_are_identical_and_of_two_are_not(
    tmp_path: Path, trained: Path
) -> None:
    assert train(tmp_path / "same") == 0
    assert_same(tmp_path / "same", trained)
    for name in ("config.json", "curves.png", "episodes.png"):
        assert (tmp_path / "same" / name).read_bytes() == (trained / name).read_bytes()
    assert untimed(tmp_path / "same") == untimed(trained)
    assert train(tmp_path / "other", seed=1) == 0
    first, other = untimed(trained), untimed(tmp_path / "other")
    assert [m["step"] for m in first] == [m["step"] for m in other]
    assert all(a != b for a, b in zip(first, other, strict=True))
    a, b = (running.weights(r / "last.safetensors") for r in (trained, tmp_path / "other"))
    assert not any((a[k] == b[k]).all() for k in a if k.endswith("conv.weight"))


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, trained: Path) -> None:
    run = running.copy(trained, tmp_path / "run")
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    assert train(run, "--resume") == 0
    assert {p.name: p.read_bytes() for p in run.iterdir() if p.name != ".lock"} == before


@pytest.mark.slow
def test_what_the_end_still_lacks_is_made(tmp_path: Path, trained: Path) -> None:
    """A process that died in the test, after the training."""
    run = running.copy(trained, tmp_path / "run")
    for name in ("test.json", "curves.png", "episodes.png"):
        (run / name).unlink()
    assert train(run, "--resume") == 0
    for name in ("curves.png", "episodes.png"):
        assert (run / name).read_bytes() == (trained / name).read_bytes()
    a, b = (json.loads((r / "test.json").read_text()) for r in (run, trained))
    assert a["accuracies"] == b["accuracies"]


@pytest.mark.slow
def test_resume_remembers_the_flags(stopped: Path) -> None:
    config = Run(stopped).config()
    assert running.command("train", "--resume", f"--out={stopped}", "--device", "cpu") == 0
    assert Run(stopped).config() == config
    assert (stopped / "test.json").exists()


def test_resume_with_another_flag(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    line = running.refused(capsys, 2, "train", "--resume", "--out", run, "--steps", 7)
    assert "steps = 6, asked for 7" in line
    line = running.refused(capsys, 2, "train", "--resume", "--out", run, "--conditioning", "bias")
    assert "conditioning = 'film', asked for 'bias'" in line


@pytest.mark.slow
def test_resume_of_nothing_starts_anew(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--resume", steps=3) == 0
    assert int(load_tensors(tmp_path / "run" / "last.safetensors")[1]["step"]) == 3
