"""Learner: everything that changes during training, as one thing to save and restore."""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fewshot_film.base.files import load_tensors, load_weights, save_tensors
from fewshot_film.config.build import build, build_objective
from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import Classifier
from fewshot_film.model.objective import Objective
from fewshot_film.parts.optimizer import OPTIMIZERS


@final
class Learner:
    """Classifier, objective and optimizer after `step` steps, with the best validation so far.

    No generator is part of it: step i draws its episodes from (seed, i), so the number of steps
    is the position of the sampler and of all randomness.
    """

    def __init__(self, config: Config, problem: Problem, device: torch.device) -> None:
        self.classifier: Classifier = build(config, problem.entry.source.classes["train"])
        self.objective: Objective = build_objective(config, self.classifier, problem)
        self.modules = nn.ModuleDict({"classifier": self.classifier, "objective": self.objective})
        self.modules.to(device)
        self.optimizer: Optimizer = OPTIMIZERS.read(config.optimizer)(modules=self.modules)
        self.step = 0
        self.best = -1.0

    def save(self, path: Path) -> None:
        """Write a checkpoint to go on from."""
        tensors = {f"modules.{k}": v for k, v in self.modules.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        save_tensors(path, tensors, {"step": str(self.step), "best": repr(self.best)})

    def save_classifier(self, path: Path) -> None:
        """Write the classifier's weights alone."""
        metadata = {"step": str(self.step), "validation_accuracy": repr(self.best)}
        save_tensors(path, self.classifier.state_dict(), metadata)

    def restore(self, path: Path) -> None:
        """Go back to the state that `save` wrote."""
        tensors, metadata = load_tensors(path)
        weights, moments = _part(tensors, "modules."), _part(tensors, "optimizer.")
        load_weights(self.modules, weights, path)
        weight = [p for group in self.optimizer.param_groups for p in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in moments.items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = _laid_out_like(weight[int(index)], value)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        try:
            self.step, self.best = int(metadata["step"]), float(metadata["best"])
        except (KeyError, ValueError) as error:
            raise UsageError(f"{path} does not say its step; it is not a checkpoint") from error


def _laid_out_like(weight: Tensor, value: Tensor) -> Tensor:
    """A moment in its weight's memory format: the fused optimizer pairs them by address."""
    return value if value.ndim == 0 else torch.empty_like(weight).copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
