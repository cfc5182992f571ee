"""Full disks, damaged files and other processes: one line, and the last good checkpoint intact."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import running
import torch
from running import assert_same, complaint, finished, process, refused, train, unfinished

from fewshot_film import __version__
from fewshot_film.base.files import load_tensors, save_tensors
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.runs import training
from fewshot_film.runs.run import Run
from fewshot_film.parts.schedule import learning_rate

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
    tmp_path: Path,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
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
    assert train(tmp_path / "wide", width=6, steps=1) == 0
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
    ('"way": 3', '"way": "five"', "way is 'five'; it must be int"),
    ('"way": 3', '"way": null', "way is None; it must be int"),
    ('"way": 3', '"way": 3.5', "way is 3.5; it must be int"),
    ('"way": 3', '"way": true', "way is True; it must be int"),
    ('"way": 3', '"way": -3', "--way is -3"),
    ('"way": 3', '"ways": 3', "unknown field 'ways'"),
    ('"film"', '"magic"', "conditioning is 'magic'; it must be 'film' or 'bias' or"),
    ('"conv4"', "[]", "extractor is []; it must be 'conv4' or 'resnet12'"),
    ('"glyphs"', "7", "dataset is 7; it must be str"),
    ('"glyphs"', '"gone"', "unknown data set 'gone'"),
    ('"data": null', '"data": 7', "data is 7; it must be str | None"),
    ('"learning_rate": 0.006', '"learning_rate": "x"', "learning_rate is 'x'; it must be float"),
    ('"learning_rate": 0.006', '"learning_rate": NaN', "--learning-rate is nan"),
    ('"seed": 0\n}', '"se', "config.json is not a config this version can read"),
    ("{", "[", "config.json is not a config this version can read"),
)


def test_a_damaged_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, as the type checker of the tests would catch some of it first."""
    whole = unfinished(tmp_path / "whole", monkeypatch)
    text = (whole / "config.json").read_text()
    for i, (old, new, _) in enumerate(CONFIGS):
        assert text.count(old) == 1
        run = running.copy(whole, tmp_path / str(i))
        (run / "config.json").write_text(text.replace(old, new))
    code = """if True:
        import sys, contextlib, io
        from fewshot_film.cli import main
        for run in sys.argv[1:]:
            for words in (["evaluate", run], ["train", "--resume", "--out", run]):
                print("exit", main(words), flush=True)
                print(flush=True, file=sys.stderr)
        sys.argv[1:] = ["--version"]"""
    runs = [tmp_path / str(i) for i in range(len(CONFIGS))]
    exit_code, out, err = finished(process(*runs, code=code))
    assert exit_code == 0
    codes = [line for line in out.splitlines() if line.startswith("exit")]
    assert codes == ["exit 2"] * 2 * len(CONFIGS)
    assert out.endswith(f"fewshot-film {__version__}\n")
    lines = err.strip().split("\n\n")
    for line, (_, _, says) in zip(lines, [c for c in CONFIGS for _ in range(2)], strict=True):
        assert says in complaint(line + "\n")
    for run in runs:
        assert_same(run, whole)


@pytest.mark.parametrize("content", [b"", b"null", b"7", b'"abc"', b"{}x", b"\xff\xfe\x00binary"])
def test_a_config_of_something_else(
    content: bytes, tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    (run / "config.json").write_bytes(content)
    assert "config" in refused(capsys, 2, "evaluate", run)
    assert "config" in refused(capsys, 2, "train", "--resume", "--out", run)


def test_a_run_in_use(
    tmp_path: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
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


def test_a_disk_that_fills_up(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file-size limit stops the writing of the checkpoint in the middle."""
    run = unfinished(tmp_path / "run", monkeypatch)
    before = [(run / n).read_bytes() for n in CHECKPOINTS]
    limit = len(before[1]) - 100
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    exit_code, _, err = finished(
        process("train", "--resume", "--out", run, "--device", "cpu", code=code)
    )
    assert exit_code == 1
    assert complaint(err).startswith(f"cannot write {run / 'last.safetensors'}: File too large; ")
    assert (run / "last.safetensors").read_bytes() == before[1]
    assert load_tensors(run / "best.safetensors")
    assert not list(run.glob(".*.part"))
    running.go_on(run)
    assert_same(run, trained)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_written(
    name: str,
    tmp_path: Path,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first bytes of the next one are on the disk when the disk is full."""
    run = unfinished(tmp_path / "run", monkeypatch)
    if name == "best.safetensors":  # any validation is then better than the best so far
        forget_best(run)
    kept = CHECKPOINTS if name == "best.safetensors" else ("last.safetensors",)  # best comes first
    before = [(run / n).read_bytes() for n in kept]
    (run / f".{name}.{os.getpid()}.part").symlink_to("/dev/full")
    line = refused(capsys, 1, "train", "--resume", "--out", run, "--device", "cpu")
    assert line.startswith(f"cannot write {run / name}: No space left on device; make room")
    assert [(run / n).read_bytes() for n in kept] == before
    assert not list(run.glob(".*.part"))
    running.go_on(run)
    if name == "last.safetensors":
        assert_same(run, trained)


def forget_best(run: Path) -> None:
    """As if the first validation had reached less than any can."""
    tensors, about = load_tensors(run / "last.safetensors")
    save_tensors(run / "last.safetensors", tensors, about | {"best": "-1.0"})


def test_metrics_that_cannot_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
    before = [(run / n).read_bytes() for n in CHECKPOINTS]
    monkeypatch.setattr(Run, "forget_metrics_after", lambda _run, _step: None)
    monkeypatch.setattr(Run, "metrics", lambda _run: [])  # /dev/full can be read without an end
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to("/dev/full")
    line = refused(capsys, 1, "train", "--resume", "--out", run, "--device", "cpu")
    assert line.startswith(f"cannot write {run / 'metrics.jsonl'}: No space left on device; ")
    assert [(run / n).read_bytes() for n in CHECKPOINTS] == before


@pytest.mark.parametrize("place", ["/proc/run", "/sys/run", f"{__file__}/run", __file__])
def test_a_folder_that_cannot_be_made(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, 1, "train", *running.flags(), "--out", place)
    assert line.startswith(f"cannot write in {place}: ")
    assert line.endswith("; train in another folder")


def test_a_read_only_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
    before = [(run / n).read_bytes() for n in CHECKPOINTS]
    (run / ".lock").unlink()
    (run / ".lock").symlink_to("/proc/no/lock")  # a lock file that not even root can make
    line = refused(capsys, 1, "train", "--resume", "--out", run)
    assert line.startswith(f"cannot write in {run}: ")
    assert [(run / n).read_bytes() for n in CHECKPOINTS] == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
    before = [(run / n).read_bytes() for n in CHECKPOINTS]
    (run / ".lock").unlink(missing_ok=True)
    run.chmod(0o500)
    try:
        line = refused(capsys, 1, "train", "--resume", "--out", run)
        assert line.startswith(f"cannot write in {run}: Permission denied")
        line = refused(capsys, 1, "train", *running.flags(), "--out", run / "new")
        assert line.startswith(f"cannot write in {run / 'new'}: Permission denied")
    finally:
        run.chmod(0o700)
    assert [(run / n).read_bytes() for n in CHECKPOINTS] == before


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
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unfinished(tmp_path / "run", monkeypatch)
    before = [(run / n).read_bytes() for n in CHECKPOINTS]
    rate = learning_rate
    with monkeypatch.context() as patch:
        patch.setattr(training, "learning_rate", lambda c, s: 1e30 if s == 4 else rate(c, s))
        with pytest.raises(FewShotError, match=r"the loss is not finite at step 5 \("):
            running.go_on(run)
    assert [(run / n).read_bytes() for n in CHECKPOINTS] == before
    running.go_on(run)
    assert_same(run, trained)
