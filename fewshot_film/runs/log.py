"""What a training says of itself: metrics.jsonl, the progress bar, and a loss gone astray."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from fewshot_film.config.config import Config
from fewshot_film.errors import NotFinite
from fewshot_film.model.objective import Outcome
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.run import Run
from fewshot_film.runs.step import learning_rate

LOG_EVERY = 10


@dataclass
class Log:
    """Means over every LOG_EVERY steps, to metrics.jsonl and the progress bar."""

    run: Run
    config: Config

    def __post_init__(self) -> None:
        self.pending: list[torch.Tensor] = []
        self.since = time.perf_counter()
        self.start = self.since - self.run.seconds()  # earlier sittings count

    def add(self, learner: Learner, outcome: Outcome, bar: tqdm[Any], now: bool) -> None:
        """Take note of a step; a loss that is not a number stops the run at its step."""
        self.pending.append(torch.stack([outcome.loss.detach(), outcome.accuracy]))
        due = learner.step % LOG_EVERY == 0 or learner.step % self.config.validate_every == 0
        if due or now or learner.step == self.config.steps:
            self._flush(learner, bar)

    def _flush(self, learner: Learner, bar: tqdm[Any]) -> None:
        values = torch.stack(self.pending).double().cpu()
        self._check(values[:, 0], learner.step - len(values))
        loss, accuracy = float(values[:, 0].mean()), float(values[:, 1].nanmean())
        now = time.perf_counter()
        speed = len(values) * self.config.tasks / (now - self.since)
        record = {"loss": loss, "episodes_per_second": float(f"{speed:.4g}")}
        record["seconds"] = round(now - self.start, 1)
        if not math.isnan(accuracy):  # all steps may have been steps of co-training
            record["accuracy"] = accuracy
        self.run.append_metrics({"step": learner.step, **record})
        bar.set_postfix(loss=f"{loss:.3f}", acc=f"{accuracy:.1%}", episodes_s=f"{speed:.3g}")
        bar.update(len(values))
        self.pending = []
        self.resume_clock()

    def resume_clock(self) -> None:
        """Start anew to time steps, after what is not one."""
        self.since = time.perf_counter()

    def _check(self, losses: torch.Tensor, first: int) -> None:
        if losses.isfinite().all():
            return
        broken = first + int((~losses.isfinite()).nonzero()[0])
        raise diverged("the loss", self.config, broken)


def diverged(what: str, config: Config, step: int) -> NotFinite:
    """The error that names the step, its learning rate and its episodes."""
    return NotFinite(
        f"{what} is not finite at step {step} (learning rate {learning_rate(config, step):.2g}, "
        f"episode seed {config.seed}, position {step}); what was saved before is kept, try "
        "a smaller learning rate"
    )
