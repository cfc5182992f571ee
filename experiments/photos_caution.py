"""How careful the model "photos" is to be: `python experiments/photos_caution.py`.

After `python experiments/photos.py`. Tasks of validation classes, of every kind that the training
had, show what it costs and what it saves to take a task's parameters only where its support set
speaks for them: where they tell it better by `margin`, or no worse and pull its classes apart by
`apart` (see the adapter "safe"). Chosen is what gains most on average over the kinds of tasks and
numbers of shots, of all that let tasks on objects or characters, which is what people mostly ask
for, lose no more than half a point at any number of shots.

Protocol: 600 tasks of "photos", split "val", 5-way, the same for all runs, with one, three and five
of their six images a class in the support set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy import ndarray
from photos import MODEL
from recipe import Options, ended
from torch import Tensor
from tqdm import tqdm

from fewshot_film.base.files import write_atomic
from fewshot_film.base.modes import evaluating
from fewshot_film.base.provenance import environment
from fewshot_film.base.seeding import VALIDATION, generator
from fewshot_film.config.machine import Machine
from fewshot_film.config.protocol import Question
from fewshot_film.config.stored import to_values
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import Classifier
from fewshot_film.parts.adaptation import SafeAdapter
from fewshot_film.parts.adaptation.safe import kept, plain_params
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.head import cosine_head
from fewshot_film.report.tables import table
from fewshot_film.runs.run import Run
from fewshot_film.runs.trial import trial
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.numbered import numbered
from fewshot_film.tasks.pool import chosen, divided, joined

NAME = "photos_caution"
TASKS, SEEDS, SHOTS = 300, (0, 1), (1, 3, 5)
"""Tasks of each seed of the validation stream, and images a class in their support sets."""
MARGINS = (0.0, -0.07, -0.13, -0.19, -0.25, -0.32, -0.38, -0.45, -1.0)
APARTS = (None, 0.0, 0.1, 0.2, 0.25, 0.3, 0.4)
USUAL, ALLOWED = ("objects", "characters"), 0.005
"""Kinds of tasks that are to lose no more than this at any number of shots."""


@dataclass(frozen=True)
class Evidence:
    """One task with some shots: its kind, what its support set says, and what was right."""

    kind: str
    shots: int
    gain: float
    fall: float
    plain: float
    adapted: float


def main(options: Options) -> int:
    return ended(NAME, lambda: measured(options))


def measured(options: Options) -> Path:
    """Every run's evidence -> what each caution gains, and the one to take, as JSON and a table."""
    runs = trained(options.runs_of(MODEL.home or MODEL.name))
    count = 4 if options.quick else TASKS
    every = [one for run in runs for one in evidence_of(run, options.machine, count)]
    found = [judged(every, margin, apart) for margin, apart in product(MARGINS, APARTS)]
    # who takes no parameters loses nothing, so that some are always allowed
    best = max(found, key=lambda each: (each["worst"] >= -ALLOWED, each["mean"]))
    content = {
        "chosen": best,
        "tried": found,
        "kinds": by_kind(every, gains(every, best["margin"], best["apart"])),
        "runs": [run.path.name for run in runs],
        "config": to_values(MODEL.config),
        "environment": environment(options.machine.place),
        "protocol": {"tasks": count, "seeds": SEEDS, "shots": SHOTS, "split": "val"},
    }
    out = options.results_of(NAME)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "caution.json", (json.dumps(content, indent=1) + "\n").encode())
    write_atomic(out / "table.md", (shown(content) + "\n").encode())
    return out


def trained(folder: Path) -> list[Run]:
    """The runs of the model, seed by seed."""
    found = map(Run, sorted(folder.glob(f"{MODEL.training}-[0-9]*")))
    runs = [run for run in found if run.best_file.exists()]
    if not runs:
        raise UsageError(f"{folder} holds no run; train some: python experiments/photos.py")
    return runs


def evidence_of(run: Run, machine: Machine, count: int) -> list[Evidence]:
    """What every task says for its own parameters, and whether they are better."""
    put = trial(run.path, Question(split="val", episodes=count), machine)
    each = put.sampler.shot + put.sampler.query
    safe = SafeAdapter(put.classifier.features.adapter.trained, cosine_head())
    rng = generator(0, VALIDATION, 0)
    found = list[Evidence]()
    for seed in SEEDS:
        tasks = numbered(put.sampler, count, seed, VALIDATION)
        for task in tqdm(tasks, total=count, desc=f"{run.path.name}, seed {seed}"):
            kind = put.sampler.groups[int(task.group)]
            for shots in filter(each.__gt__, SHOTS):
                found.append(seen(put.classifier, safe, dealt(task, shots, rng), kind, shots))
    return found


def dealt(task: Episode, shots: int, rng: torch.Generator) -> Episode:
    """The images of a task, with so many a class as its support set."""
    whole = joined(task)
    support, query = divided(whole.labels, shots, rng)
    return Episode(
        chosen(whole, support), chosen(whole, query), task.way, task.class_ids, task.group
    )


@torch.no_grad()
def seen(
    classifier: Classifier, safe: SafeAdapter, task: Episode, kind: str, shots: int
) -> Evidence:
    """One task under both parameters."""
    extractor, support, way = classifier.features.extractor, task.support, task.way
    with evaluating(classifier), evaluating(safe):
        both = safe.adapted(support, way, extractor), plain_params(extractor, support)
        own, plain_features = (extractor(support.images, params) for params in both)
        gain, fall = safe.evidence(own, plain_features, support.labels, way)
        adapted, plain = (right(classifier, task, params) for params in both)
    return Evidence(kind, shots, float(gain), float(fall), plain, adapted)


def right(classifier: Classifier, task: Episode, params: TaskParams | None) -> float:
    """The share of the queries that are told."""
    logits: Tensor = classifier.classify(task, params)
    return float((logits.argmax(2) == task.query.labels).float().mean())


def gains(every: list[Evidence], margin: float, apart: float | None) -> ndarray:
    """What each task gains on the plain network, with so much caution."""
    gain, fall = (torch.tensor([getattr(one, name) for one in every]) for name in ("gain", "fall"))
    change = np.array([one.adapted - one.plain for one in every])
    return change * kept(gain, fall, margin, apart).numpy()


def by_kind(every: list[Evidence], values: ndarray) -> Mapping[str, Mapping[int, float]]:
    """kind -> shots -> the mean."""
    found: dict[str, dict[int, float]] = {}
    for kind, shots in sorted({(one.kind, one.shots) for one in every}):
        which = [(one.kind, one.shots) == (kind, shots) for one in every]
        found.setdefault(kind, {})[shots] = float(values[which].mean())
    return found


def judged(every: list[Evidence], margin: float, apart: float | None) -> dict[str, Any]:
    """How a caution does: on average over kinds and shots, and where it does worst."""
    means = by_kind(every, gains(every, margin, apart))
    flat = [mean for of_kind in means.values() for mean in of_kind.values()]
    worst = min(mean for kind in USUAL for mean in means.get(kind, {0: 0.0}).values())
    return {"margin": margin, "apart": apart, "mean": float(np.mean(flat)), "worst": worst}


def shown(content: Mapping[str, Any]) -> str:
    """The gains by kind under what was chosen, in points."""
    best = content["chosen"]
    lines = [["tasks", *(f"{shots}-shot" for shots in SHOTS)]]
    for kind, means in content["kinds"].items():
        lines.append([kind, *(f"{100 * means[n]:+.1f}" if n in means else "" for n in SHOTS)])
    told = f"margin {best['margin']}, apart {best['apart']}"
    return f"{table(lines)}\n\nPoints gained on the plain network, by kind, with {told}."


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
