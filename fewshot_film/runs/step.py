"""One training step: forward, loss, backward, update."""

from __future__ import annotations

from typing import final

import torch
from torch import nn

from fewshot_film.base.device import has_bfloat16
from fewshot_film.base.seeding import seeded_noise
from fewshot_film.config.config import Config
from fewshot_film.model.objective import Outcome
from fewshot_film.parts.schedule import SCHEDULES
from fewshot_film.runs.learner import Learner
from fewshot_film.tasks.episode import Episode


@final
class Step:
    """(learner, episode) -> Outcome, the learner a step further; made once by config and device."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.config, self.device = config, device
        self.low = config.precision == "bfloat16" and has_bfloat16(device)

    def __call__(self, learner: Learner, episode: Episode) -> Outcome:
        for group in learner.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, learner.step)
        learner.modules.train()
        with (
            seeded_noise(self.config.seed, learner.step, self.device),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.low),
        ):
            outcome: Outcome = learner.objective(learner.classifier, episode)
        learner.optimizer.zero_grad()
        outcome.loss.backward()
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(learner.modules.parameters(), self.config.clip_norm)
        learner.optimizer.step()
        learner.step += 1
        return outcome


def learning_rate(config: Config, step: int) -> float:
    """The learning rate of a step, by the schedule that a Config names."""
    return SCHEDULES.read(config.schedule)(
        learning_rate=config.learning_rate, steps=config.steps, step=step
    )
