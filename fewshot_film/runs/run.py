"""Run: the folder that a training leaves behind."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import torch
from filelock import FileLock, Timeout

from fewshot_film.base.device import choose_device
from fewshot_film.base.files import load_tensors, load_weights, write_atomic
from fewshot_film.config.build import build
from fewshot_film.config.config import Config
from fewshot_film.config.stored import from_json, to_json
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.model.classifier import Classifier


@final
class Run:
    """A folder with its config, metrics, best and last checkpoint, test result and pictures."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.origin_file = self.path / "origin.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.best_file = self.path / "best.safetensors"
        self.last_file = self.path / "last.safetensors"
        self.test_file = self.path / "test.json"
        self.curves_file = self.path / "curves.png"
        self.episodes_file = self.path / "episodes.png"

    def config(self) -> Config:
        """The choices that made the run."""
        try:
            return from_json(self.config_file.read_text(), str(self.config_file))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{self.path} is not a run folder (no readable config.json){self._nearest()}; "
                f"make one with: fewshot-film train --out {self.path}"
            ) from error

    def _nearest(self) -> str:
        """A question after the run beside it that is spelled alike, if there is one."""
        beside = (file.parent.name for file in self.path.parent.glob("*/config.json"))
        near = difflib.get_close_matches(self.path.name, beside, n=1)
        return f"; did you mean {self.path.with_name(near[0])}?" if near else ""

    def create(self, config: Config) -> None:
        """Start the run with its config."""
        write_atomic(self.config_file, to_json(config).encode())

    def is_finished(self, config: Config) -> bool:
        """Whether the training of this very config has come to its end here."""
        if not all(f.exists() for f in (self.config_file, self.last_file, self.best_file)):
            return False
        _, about = load_tensors(self.last_file)
        return self.config() == config and about.get("step") == str(config.steps)

    def note_origin(
        self,
        environment: dict[str, str],
        classes: Mapping[str, Sequence[str]],
        domains: Sequence[str] = (),
    ) -> None:
        """Keep where the run was trained, one entry a place, and on which classes and domains.

        `domains` are those of a data set that is divided by them.
        """
        old = self._origin() if self.origin_file.exists() else {"environments": [], "classes": {}}
        places = old["environments"]
        content = {
            "environments": places if environment in places else [*places, environment],
            "classes": {
                split: list(dict.fromkeys([*old["classes"].get(split, ()), *names]))
                for split, names in classes.items()
            },
            "domains": sorted({*old.get("domains", ()), *domains}),
        }
        if content != old:
            write_atomic(self.origin_file, (json.dumps(content, indent=1) + "\n").encode())

    def environments(self) -> list[dict[str, str]]:
        """Versions, commit and device of every place that the run was trained in."""
        found: list[dict[str, str]] = self._origin()["environments"]
        return found

    def classes(self) -> frozenset[str]:
        """The names of all classes that the training learned from or was chosen by."""
        return frozenset(name for names in self._origin()["classes"].values() for name in names)

    def places(self) -> tuple[str, ...]:
        """The training's classes in the order of their numbers, a linear layer's places."""
        return tuple(self._origin()["classes"]["train"])

    def domains(self) -> frozenset[str]:
        """The domains that the training saw, of a data set that is divided by them."""
        return frozenset(self._origin().get("domains", ()))

    def _origin(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.origin_file.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.path} does not say on which classes it was trained (no readable "
                "origin.json): restore the file, or train the run anew"
            ) from error
        return content

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold it against other processes; the lock dies with the process."""
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(
                f"{self.path} is in use by another process; wait for it or train in another folder"
            ) from error
        except OSError as error:
            raise FewShotError(
                f"cannot write in {self.path}: {error.strerror}; train in another folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        try:
            with self.metrics_file.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise FewShotError(
                f"cannot write {self.metrics_file}: {error.strerror}; free some space and pass "
                "`resume=True` (the last checkpoint is intact)"
            ) from error

    def test(self) -> dict[str, Any]:
        """test.json: accuracy on unseen classes, its interval, the protocol, and more."""
        content: dict[str, Any] = json.loads(self.test_file.read_text())
        return content

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, up to one that a crash cut short."""
        records: list[dict[str, Any]] = []
        if not self.metrics_file.exists():
            return records
        for line in self.metrics_file.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                break
        return records

    def validation_accuracy(self) -> float:
        """The best so far on validation classes."""
        return max(m["val_accuracy"] for m in self.metrics() if "val_accuracy" in m)

    def seconds(self) -> float:
        """How long the training took, over all its sittings."""
        return float(max((record.get("seconds", 0.0) for record in self.metrics()), default=0.0))

    def forget_metrics_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint that a resumed run starts from."""
        if not self.metrics_file.exists():
            return
        kept = [json.dumps(record) + "\n" for record in self.metrics() if record["step"] <= step]
        write_atomic(self.metrics_file, "".join(kept).encode())


def load_run(run: Run, device: str | torch.device = "auto") -> Classifier:
    """A run -> its best classifier, ready to adapt, in evaluation mode."""
    config = run.config()
    classifier = build(config, len(run.places()) if config.classifies else None)
    if not run.best_file.exists():
        raise UsageError(
            f"{run.best_file} does not exist: the run was not validated yet, or the file was "
            f"lost; go on with: fewshot-film train --resume --out {run.path}"
        )
    tensors, _ = load_tensors(run.best_file)
    load_weights(classifier, tensors, run.best_file)
    return classifier.eval().to(choose_device(device))
