"""The command line at work on tiny runs, in this process or in one of its own."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from fewshot_film.base.files import load_tensors
from fewshot_film.cli.main import main
from fewshot_film.config.catalog import default_config
from fewshot_film.config.machine import Machine
from fewshot_film.model.objective import Outcome
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.run import Run
from fewshot_film.runs.step import Step
from fewshot_film.runs.training import fit
from fewshot_film.tasks.episode import Episode

QUIET = Machine("cpu", progress=False)

SHORT: dict[str, Any] = {
    "steps": 6,
    "validate_every": 3,
    "validation_episodes": 4,
    "test_episodes": 6,
    "tasks": 2,
    "extractor": "conv4:width=4",
    "way": 3,
    "test_way": 3,
    "shot": 2,
    "query": 2,
}
CLASSIFY: dict[str, Any] = {
    "objective": "classify:images=16",
    "adapter": "none",
    "way": 5,
    "shot": 1,
    "query": 1,
    "size": 16,
}
"""What makes SHORT a plain training on data of several domains; its way is the data set's own."""


def flags(**changes: object) -> list[str]:
    """SHORT with changes, as flags of `train`."""
    words = ["--device", "cpu"]
    for name, value in (SHORT | changes).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def train(out: Path, *words: object, **changes: object) -> int:
    """Train a tiny run in this process -> the exit code."""
    return main(["train", *flags(**changes), "--out", str(out), *map(str, words)])


def fitted(out: Path, **changes: Any) -> Path:
    """The run that `train` would make, without the test and the pictures that follow."""
    dataset = changes.pop("dataset", "glyphs")
    return fit(default_config(dataset, **SHORT | changes), out, QUIET).path


def command(*words: object) -> int:
    """The command line in this process -> its exit code; --help ends it as it ends a process."""
    try:
        return main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


def refused(capsys: pytest.CaptureFixture[str], code: int, *words: object) -> str:
    """A command that ends with `code` and says why on the last line of stderr, which is given."""
    capsys.readouterr()
    assert command(*words) == code
    return complaint(capsys.readouterr().err)


def complaint(stderr: str) -> str:
    """The one line a person reads, after the progress bars if there were any."""
    assert "Traceback" not in stderr
    assert stderr.endswith("\n")
    lines = [line for line in stderr.replace("\r", "\n").splitlines() if "fewshot-film: " in line]
    assert len(lines) == 1
    assert stderr.rstrip("\n").endswith(lines[0])
    return lines[0].split("fewshot-film: ")[1]


def process(*words: object, code: str = "", **environment: str) -> "subprocess.Popen[str]":
    """`python -m fewshot_film`, or main after `code` has run, in a process of its own."""
    start = (
        f"{code}\nimport sys; from fewshot_film.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, *(["-c", start] if code else ["-m", "fewshot_film"]), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def finished(running: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """(exit code, stdout, stderr) at its end."""
    out, err = running.communicate(timeout=120)
    return running.returncode, out, err


def copy(run: Path, to: Path) -> Path:
    """A copy of a run folder, without its lock."""
    shutil.copytree(run, to, ignore=shutil.ignore_patterns(".lock"))
    return to


def weights(path: Path) -> dict[str, Tensor]:
    return load_file(path)


def assert_same(run: Path, other: Path) -> None:
    """Best and last checkpoint, bit for bit."""
    for name in ("best.safetensors", "last.safetensors"):
        (a, about_a), (b, about_b) = (load_tensors(r / name) for r in (run, other))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name
        assert about_a == about_b


def before_step(number: int, monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Have `do()` called when the training loop comes to that step."""
    real = Step.__call__

    def call(step: Step, learner: Learner, episode: Episode) -> Outcome:
        if learner.step == number:
            do()
        return real(step, learner, episode)

    monkeypatch.setattr(Step, "__call__", call)


class PowerCut(BaseException):
    """Ends a process in the middle, as far as this one can show it."""


def cut() -> None:
    raise PowerCut


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def unfinished(out: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> Path:
    """A run whose process ended after `after` of 6 steps; checkpoints are made at 3 and 6."""
    with monkeypatch.context() as patch:
        before_step(after, patch, cut)
        with pytest.raises(PowerCut):
            train(out)
    return out


def go_on(run: Path) -> None:
    """Resume a run and train it to its end, without the test and the pictures that follow."""
    fit(Run(run).config(), run, QUIET, resume=True)


def picture_folder(
    path: Path, classes: int = 24, each: int = 6, mode: str = "RGB", size: int = 20
) -> Path:
    """A folder of class folders; a class has a colour of its own under a little noise."""
    rng = np.random.default_rng(0)
    for c in range(classes):
        folder = path / f"class{c:02d}"
        folder.mkdir(parents=True)
        colour = rng.integers(40, 215, 3)
        for i in range(each):
            pixels = (colour + rng.integers(-30, 30, (size, size, 3))).astype(np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / f"{i}.png")
    return path


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can grow larger than this, as on a disk that is full when one does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Count:
    """How often each folder was listed and each picture opened, under a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings: Counter[Path] = Counter()
        self.openings: Counter[Path] = Counter()
        for owner, name, into in (
            (os, "scandir", self.listings),
            (os, "listdir", self.listings),
            (Path, "iterdir", self.listings),
            (Image, "open", self.openings),
        ):
            monkeypatch.setattr(owner, name, _counting(getattr(owner, name), folder, into))


def _counting(real: Callable[..., Any], under: Path, into: Counter[Path]) -> Callable[..., Any]:
    def counted(path: Any = ".", *others: Any, **named: Any) -> Any:
        if isinstance(path, str | Path) and Path(path).is_relative_to(under):
            into[Path(path)] += 1
        return real(path, *others, **named)

    return counted
