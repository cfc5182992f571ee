"""Full disks, damaged files and other processes: one line, and the last good checkpoint intact."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import running
import torch
from running import QUIET, assert_same, complaint, finished, process, refused

from fewshot_film.base.files import load_tensors, save_tensors
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.parts.schedule import SCHEDULES
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit

pytestmark = pytest.mark.usefixtures("unchecked")

CHECKPOINTS = ("best.safetensors", "last.safetensors")


class Malicious:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def scramble_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8] + b"\xff" * 50 + path.read_bytes()[58:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_another_format(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


DAMAGES = (truncate, cut_header, scramble_header, empty, replace_by_another_format)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(
    damage: Callable[[Path], None],
    stopped: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = stopped
    damage(run / "last.safetensors")
    best, broken = ((run / name).read_bytes() for name in CHECKPOINTS)
    line = refused(capsys, 2, "train", "--resume", "--out", run, "--device", "cpu")
    assert str(run / "last.safetensors") in line
    assert "damaged or not a checkpoint" in line
    assert [(run / name).read_bytes() for name in CHECKPOINTS] == [best, broken]
    assert running.command("evaluate", run, "--episodes", 4, "--device", "cpu") == 0
    damage(run / "best.safetensors")
    line = refused(capsys, 2, "evaluate", run, "--episodes", 4)
    assert str(run / "best.safetensors") in line
    for name in CHECKPOINTS:  # as the message says
        (run / name).unlink()
    running.go_on(run)
    assert_same(run, trained)


def test_checkpoints_of_another_run(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    wide = replace(Run(trained).config(), extractor="conv4:width=6", steps=1)
    fit(wide, tmp_path / "wide", QUIET)
    for name in CHECKPOINTS:
        shutil.copy(tmp_path / "wide" / name, run / name)
    line = refused(capsys, 2, "evaluate", run)
    assert f"{run / 'best.safetensors'} does not fit its config.json" in line
    line = refused(capsys, 2, "train", "--resume", "--out", run)
    assert f"{run / 'last.safetensors'} does not fit its config.json" in line
    shutil.copy(run / "best.safetensors", run / "last.safetensors")
    assert "does not fit" in refused(capsys, 2, "train", "--resume", "--out", run)


def test_a_run_without_weights(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    (run / "best.safetensors").unlink()
    assert "best.safetensors does not exist" in refused(capsys, 2, "evaluate", run)


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.parametrize("protocol", ["torch", 0, 2, 5])
def test_a_checkpoint_is_never_executed(
    protocol: str | int,
    name: str,
    tmp_path: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, target = running.copy(trained, tmp_path / "run"), tmp_path / "executed"
    if protocol == "torch":
        torch.save(Malicious(target), run / name)
    else:
        (run / name).write_bytes(pickle.dumps(Malicious(target), protocol=int(protocol)))
    command = ["evaluate", run] if name == "best.safetensors" else ["train", "--resume", "--out"]
    words = command if name == "best.safetensors" else [*command, run]
    assert "damaged or not a checkpoint" in refused(capsys, 2, *words)
    with pytest.raises(UsageError, match=r"damaged|does not"):
        load_tensors(run / name)
    assert not target.exists()
    if protocol != "torch":  # the trap would work
        pickle.loads((run / name).read_bytes())
        assert target.exists()


CONFIGS = (
    ('"way": 3', '"way": "five"', "--way is 'five'; it must be a whole number"),
    ('"way": 3', '"way": null', "--way is None; it must be a whole number"),
    ('"way": 3', '"way": 3.5', "--way is 3.5; it must be a whole number"),
    ('"way": 3', '"way": true', "--way is True; it must be a whole number"),
    ('"way": 3', '"way": -3', "--way is -3; it must be at least 2"),
    ('"way": 3', '"ways": 3', "unknown field 'ways'"),
    ('"film"', '"magic"', "unknown conditioning 'magic'; known: film, bias, scale, gate"),
    ('"film"', '"film:size=3"', "conditioning film has no option 'size'; it has no options"),
    ('"conv4:width=4"', "[]", "--extractor is []; it must be text"),
    ('"conv4:width=4"', '"conv4:width=0"', "--extractor conv4:width is 0; it must be at least 1"),
    ('"conv4:width=4"', '"conv4:4"', "extractor conv4 has no option '4'; known: width"),
    ('"learned"', '"none"', "--encoder is discriminative, and adapter none generates no param"),
    ('"learned"', "null", "--adapter is None; it must be text"),
    ('"glyphs"', "7", "--dataset is 7; it must be text"),
    ('"glyphs"', '"gone"', "unknown data set 'gone'"),
    ('"data": null', '"data": 7', "--data is 7; it must be text or none"),
    ('"learning_rate": 0.006', '"learning_rate": "x"', "--learning-rate is 'x'; it must be a num"),
    ('"learning_rate": 0.006', '"learning_rate": NaN', "--learning-rate is nan; it must be above"),
    ('"clip_norm": null', '"clip_norm": 0', "--clip-norm is 0.0; it must be above 0"),
    ('"format": 2', '"format": 3', "it is of format 3, from a newer fewshot_film; update this"),
    ('"format": 2', '"format": "two"', "it is of format two"),
    ('"format": 2', '"format": 1', "--extractor conv4:width is '4:width=32'; it must be a whole"),
    ('"seed": 0\n}', '"se', "config.json is not a config this version can read"),
    ("{", "[", "config.json is not a config this version can read"),
)


@pytest.mark.parametrize(("old", "new", "says"), CONFIGS)
def test_a_damaged_config(
    old: str, new: str, says: str, stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (stopped / "config.json").read_text()
    assert text.count(old) == 1
    (stopped / "config.json").write_text(text.replace(old, new))
    before = [(stopped / name).read_bytes() for name in CHECKPOINTS]
    for words in (["evaluate", stopped], ["train", "--resume", "--out", stopped]):
        assert says in refused(capsys, 2, *words)
    assert [(stopped / name).read_bytes() for name in CHECKPOINTS] == before


@pytest.mark.parametrize("content", [b"", b"null", b"7", b'"abc"', b"{}x", b"\xff\xfe\x00binary"])
def test_a_config_of_something_else(
    content: bytes, tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    (run / "config.json").write_bytes(content)
    assert "config" in refused(capsys, 2, "evaluate", run)
    assert "config" in refused(capsys, 2, "train", "--resume", "--out", run)


def test_a_run_in_use(stopped: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stopped
    hold = """if True:
        import filelock, sys
        with filelock.FileLock(sys.argv[1]):
            print("held", flush=True)
            input()"""
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(run / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for words in (["--resume"], []):
            line = refused(capsys, 2, "train", *running.flags(), "--out", run, *words)
            assert f"{run} is in use by another process" in line
        assert running.command("evaluate", run, "--episodes", 4, "--device", "cpu") == 0
        holder.kill()  # the lock dies with its process
    running.go_on(run)
    assert_same(run, trained)


@pytest.mark.slow
def test_two_processes_in_one_folder(tmp_path: Path, trained: Path) -> None:
    """Started together: one trains, the other says so, and the run is as if it were alone."""
    run = tmp_path / "run"
    both = [process("train", *running.flags(), "--out", run) for _ in range(2)]
    ends = sorted((finished(child) for child in both), key=lambda end: end[0])
    assert [code for code, _, _ in ends] == [0, 2]
    line = complaint(ends[1][2])
    assert "in use by another process" in line or "holds a run already" in line
    assert_same(run, trained)


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.slow
def test_a_checkpoint_that_the_disk_has_no_room_for(
    name: str, stopped: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Writing stops in the middle; what was there before is as it was."""
    forget_best(stopped)  # any validation is then better than the best so far, which comes first
    before = {n: (stopped / n).read_bytes() for n in CHECKPOINTS}
    assert len(before["best.safetensors"]) < len(before["last.safetensors"])
    with running.full_disk(len(before[name]) - 100):
        line = refused(capsys, 1, "train", "--resume", "--out", stopped, "--device", "cpu")
    assert line.startswith(f"cannot write {stopped / name}: File too large; make room")
    whole = [n for n in CHECKPOINTS if (stopped / n).read_bytes() == before[n]]
    assert whole == [n for n in CHECKPOINTS if n == name or name == "best.safetensors"]
    assert load_tensors(stopped / "best.safetensors")
    left = {path.name for path in stopped.iterdir()} - {".lock"}
    assert left == {"config.json", "origin.json", "metrics.jsonl", *CHECKPOINTS}
    running.go_on(stopped)
    assert load_tensors(stopped / "last.safetensors")[1]["step"] == "6"
    for key, value in running.weights(trained / "last.safetensors").items():
        assert torch.equal(running.weights(stopped / "last.safetensors")[key], value)


def forget_best(run: Path) -> None:
    """As if the first validation had reached less than any can."""
    tensors, about = load_tensors(run / "last.safetensors")
    save_tensors(run / "last.safetensors", tensors, about | {"best": "-1.0"})


def test_metrics_that_the_disk_has_no_room_for(
    stopped: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next line does not fit; a checkpoint is not written after it."""
    before = {path.name: path.read_bytes() for path in stopped.iterdir()}
    with running.full_disk(len(before["metrics.jsonl"]) + 10):
        line = refused(capsys, 1, "train", "--resume", "--out", stopped, "--device", "cpu")
    metrics = stopped / "metrics.jsonl"
    assert line == (
        f"cannot write {metrics}: File too large; free some space and pass --resume (the last "
        "checkpoint is intact)"
    )
    for name in CHECKPOINTS:
        assert (stopped / name).read_bytes() == before[name]
    assert metrics.read_bytes().startswith(before["metrics.jsonl"])
    running.go_on(stopped)
    assert_same(stopped, trained)
    assert [m["step"] for m in Run(stopped).metrics()] == [3, 3, 6, 6]


@pytest.mark.parametrize("place", ["/proc/run", "/sys/run", f"{__file__}/run", __file__])
def test_a_folder_that_cannot_be_made(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, 1, "train", *running.flags(), "--out", place)
    assert line.startswith(f"cannot write in {place}: ")
    assert line.endswith("; train in another folder")


def test_a_read_only_folder(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [(stopped / n).read_bytes() for n in CHECKPOINTS]
    (stopped / ".lock").symlink_to("/proc/no/lock")  # a lock file that not even root can make
    line = refused(capsys, 1, "train", "--resume", "--out", stopped)
    assert line.startswith(f"cannot write in {stopped}: ")
    assert [(stopped / n).read_bytes() for n in CHECKPOINTS] == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [(stopped / n).read_bytes() for n in CHECKPOINTS]
    stopped.chmod(0o500)
    try:
        line = refused(capsys, 1, "train", "--resume", "--out", stopped)
        assert line.startswith(f"cannot write in {stopped}: Permission denied")
        new = stopped / "new"
        line = refused(capsys, 1, "train", *running.flags(), "--out", new)
        assert line.startswith(f"cannot write in {new}: Permission denied")
    finally:
        stopped.chmod(0o700)
    assert [(stopped / n).read_bytes() for n in CHECKPOINTS] == before


@pytest.mark.parametrize("every", [1, 3, 6])
def test_a_loss_that_is_not_a_number(
    every: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = running.flags(learning_rate=1e30, validate_every=every, seed=3)
    line = refused(capsys, 1, "train", *words, "--out", run)
    what, step = ("validation", 0) if every == 1 else ("the loss", 1)
    assert line.startswith(f"{what} is not finite at step {step} (learning rate 1e+30, ")
    assert "episode seed 3" in line
    assert line.endswith("what was saved before is kept, try a smaller learning rate")
    assert not (run / "last.safetensors").exists()


def test_a_loss_that_breaks_later(
    stopped: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [(stopped / n).read_bytes() for n in CHECKPOINTS]
    usual = SCHEDULES.parts["cosine"]

    def bursting(learning_rate: float, steps: int, step: int) -> float:
        return 1e30 if step == 4 else usual(learning_rate, steps, step)

    with monkeypatch.context() as patch:
        patch.setitem(SCHEDULES.parts, "cosine", bursting)
        with pytest.raises(FewShotError, match=r"the loss is not finite at step 5 \("):
            running.go_on(stopped)
    assert [(stopped / n).read_bytes() for n in CHECKPOINTS] == before
    running.go_on(stopped)
    assert_same(stopped, trained)
