"""Report: a run evaluated on new episodes, with its protocol, as JSON and as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fewshot_film.base.provenance import environment
from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.config.problem import Problem
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.config.stored import to_values
from fewshot_film.measure.accuracy import Evaluation, evaluate
from fewshot_film.measure.paired import ci95
from fewshot_film.runs.trial import Trial, trial

AS_TRAINED = Question()


@dataclass(frozen=True)
class Report:
    """One run under one protocol."""

    run: str
    config: Config
    protocol: Protocol
    evaluation: Evaluation
    environment: dict[str, str]
    trained: Sequence[dict[str, str]] = ()

    @property
    def label(self) -> str:
        """The run's name, and that it is transductive where it is."""
        return f"{self.run} (transductive)" if self.protocol.transductive else self.run

    def to_json(self) -> str:
        """The report as JSON text; accuracies are in [0, 1], in the order of the episodes."""
        result = self.evaluation
        content: dict[str, Any] = {
            "run": self.run,
            "accuracy": result.accuracy,
            "ci95": result.ci95,
            "episodes": len(result.accuracies),
            "protocol": asdict(self.protocol),
            "groups": {name: _group(result, name) for name in present_groups(result)},
            "environment": self.environment,
            "trained": list(self.trained),
            "config": to_values(self.config),
            "accuracies": [round(float(a), 9) for a in result.accuracies],
            "group": [result.groups[g] for g in result.group],
        }
        return json.dumps(content, indent=1) + "\n"


def evaluate_run(
    name: str | Path,
    question: Question = AS_TRAINED,
    machine: Machine = HERE,
    *,
    like: str | Path | None = None,
    problem: Problem | None = None,
) -> Report:
    """(run, question) -> Report. What is left out is as the run `like` (this run) was tested.

    `name` is a run folder, or one with another adapter such as "RUN@adabn". `problem` is what the
    question is about, where it has been made already.
    """
    put = trial(name, question, machine, like=like, problem=problem)
    return report_of(str(name), put, machine)


def report_of(name: str, put: Trial, machine: Machine) -> Report:
    """A trial's Report, under the run's name."""
    asked = put.protocol
    result = evaluate(
        put.classifier, put.sampler, asked.episodes, seed=asked.seed, progress=machine.progress
    )
    place = environment(machine.place)
    return Report(name, put.config, asked, result, place, put.run.environments())


def present_groups(result: Evaluation) -> list[str]:
    """The names of groups that have episodes, each once."""
    return [name for name in dict.fromkeys(result.groups) if len(result.of_group(name))]


def _group(result: Evaluation, name: str) -> dict[str, float]:
    values = result.of_group(name)
    return {"accuracy": float(values.mean()), "ci95": ci95(values), "episodes": len(values)}
