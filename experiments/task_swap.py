"""Whether a task's own parameters help: `python experiments/task_swap.py`.

Every training of `tadam_readings` with conditioning, and the default training on glyph tasks, where
only the support set tells what is asked; on the same tasks four times: as it is; each task with the
parameters of the task before it; without parameters; and as it is but normalised by the task's own
images. Where another task's parameters do as well, what a row gains or loses is no matter of the
task. Where training classes come out far better by a task's own images, it is the running
statistics that fail.

Protocol: 400 tasks of training classes and 400 of validation classes, with as many images of each
class as a training task has on average: FC100 5-way 5-shot with 6 queries a class, glyphs 5-way
3-shot with 3. Test classes are not looked at. By a task's own images means training mode, one task
at a time where training has 2 or 8 together; an encoder of `statistics=running` keeps those. It is
transductive.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rows
import torch
import tyro
from numpy import ndarray
from recipe import Options, Recipe, Row, chosen_rows, ended, shortened
from show import png
from tadam_readings import RECIPE
from tqdm import tqdm

import fewshot_film as ff
from fewshot_film.base.files import file_sha256, write_atomic
from fewshot_film.base.modes import evaluating, uncounted
from fewshot_film.base.provenance import environment
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.config.stored import to_values
from fewshot_film.measure.paired import ci95, paired
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.report.tables import percent, signed, table
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit
from fewshot_film.runs.trial import Trial, trial
from fewshot_film.tasks.episode import Episode

TASKS = 400
SPLITS = {"train": "training classes", "val": "validation classes"}
OTHERS = {
    "another": "another task's",
    "none": "none",
    "batch": "own, by the task's images (transductive)",
}
"""What is compared with a task's own parameters."""
CONDITIONED = tuple(row for row in RECIPE.rows if row.config.adapter != "none")
GLYPHS = Row("glyphs", ff.default_config(), ())
SWAPPED = Recipe("task_swap", (*CONDITIONED, GLYPHS))

Measured = dict[str, Any]
"""A run's accuracies, split by split, and where they come from."""


def main(options: Options) -> int:
    return ended(SWAPPED.name, lambda: measure(options))


def measure(options: Options) -> Path:
    """Every row and seed -> its accuracies as JSON when they are measured; table and figure."""
    recipe = shortened(SWAPPED) if options.quick else SWAPPED
    asked = Question(episodes=2 if options.quick else TASKS)
    out = options.results_of(SWAPPED.name)
    out.mkdir(parents=True, exist_ok=True)
    measured(recipe, out, asked)  # none of another config
    for seed in options.seeds:
        for row in chosen_rows(recipe, options.rows):
            file = out / f"{row.name}-{seed}.json"
            if not file.exists():
                print(f"{row.name}, seed {seed}", flush=True)
                content = {"row": row.name, **about(trained(row, seed, options), asked, options)}
                write_atomic(file, (json.dumps(content, indent=1) + "\n").encode())
    found = measured(recipe, out, asked)
    write_atomic(out / "table.md", (summary(found) + "\n").encode())
    write_atomic(out / "figure.png", figure(found))
    return out


def measured(recipe: Recipe, out: Path, asked: Question) -> list[Measured]:
    """What is measured so far, in the order of the recipe's rows and of seeds."""
    found = []
    for row in recipe.rows:
        files = out.glob(f"{row.name}-[0-9]*.json")
        for file in sorted(files, key=lambda file: int(file.stem.rpartition("-")[2])):
            found.append(content := json.loads(file.read_text()))
            stored = rows.stored_config(file, content, row.config.seed)
            tasks = {"episodes": content["splits"]["val"]["protocol"]["episodes"]}
            wanted = asdict(row.config) | {"episodes": asked.episodes}
            rows.refuse_other(file, stored | tasks, wanted)
    return found


def trained(row: Row, seed: int, options: Options) -> Run:
    """The training of `tadam_readings`, or of this recipe, done now if it was not."""
    home = SWAPPED if row.name == GLYPHS.name else RECIPE
    folder = options.runs_of(home.name) / f"{row.name}-{seed}"
    return fit(replace(row.config, seed=seed), folder, options.machine, resume=True)


def about(run: Run, asked: Question, options: Options) -> Measured:
    """A run's accuracies on tasks of either split, and where they come from."""
    splits = {}
    for split in SPLITS:
        put = trial(run.path, replace(asked, split=split), options.machine)
        splits[split] = {"protocol": asdict(put.protocol), **accuracies(put)}
    return {
        "config": to_values(run.config()),
        "splits": splits,
        "trained": run.environments(),
        "measured": environment(options.machine.place),
        "weights": file_sha256(run.best_file),
    }


def accuracies(put: Trial) -> dict[str, list[float]]:
    """Whose parameters -> the accuracy of every task; before the first comes the last task."""
    classifier = put.classifier
    assert isinstance(classifier, FewShotClassifier)
    drawn = list(put.episodes())
    with evaluating(classifier):
        own = [classifier.features.params_of(episode) for episode in drawn]
        return {
            "own": answered(classifier, drawn, own),
            "another": answered(classifier, drawn, [own[-1], *own[:-1]]),
            "none": answered(classifier, drawn, [None] * len(drawn)),
            "batch": by_own_images(classifier, drawn),
        }


def answered(
    classifier: FewShotClassifier,
    episodes: Sequence[Episode],
    params: Sequence[TaskParams | None],
) -> list[float]:
    """The accuracy of every task under these parameters."""
    pairs = zip(shown(episodes), params, strict=True)
    return [share_correct(classifier.classify(episode, given), episode) for episode, given in pairs]


def by_own_images(classifier: FewShotClassifier, episodes: Sequence[Episode]) -> list[float]:
    """The accuracy of every task in training mode, the running statistics left alone."""
    classifier.train()
    with uncounted(classifier):
        found = [share_correct(classifier(episode), episode) for episode in shown(episodes)]
    classifier.eval()
    return found


def shown(episodes: Sequence[Episode]) -> Iterable[Episode]:
    """The same, behind a progress bar."""
    return tqdm(episodes, desc="answer", unit="episode", leave=False)


def share_correct(logits: torch.Tensor, episode: Episode) -> float:
    return (logits.argmax(2) == episode.query.labels).double().mean().item()


def summary(found: Sequence[Measured]) -> str:
    """A row for each run and split: with its own parameters, and how much others change that."""
    lines = [["row", "seed", "tasks of", "own parameters (%)", *OTHERS.values()]]
    for content in found:
        for split, title in SPLITS.items():
            values = arrays(content["splits"][split])
            own = values["own"]
            cells = [content["row"], str(content["config"]["seed"]), title]
            changes = (paired(own, values[whose]) for whose in OTHERS)
            cells += [percent(own.mean(), ci95(own))]
            lines.append([*cells, *(signed(change.mean, change.ci95) for change in changes)])
    protocols = (Protocol(**c["splits"][s]["protocol"]) for s in SPLITS for c in found)
    return "\n\n".join(
        [table(lines), "\n".join(f"- {p}" for p in dict.fromkeys(map(str, protocols)))]
    )


def arrays(split: Mapping[str, Any]) -> dict[str, ndarray]:
    return {whose: np.array(split[whose]) for whose in ("own", *OTHERS)}


def figure(found: Sequence[Measured]) -> bytes:
    """Accuracy by whose parameters, a group of bars for each run, training and validation."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11.0, 4.2), layout="constrained", dpi=110)
    labels = {"own": "own", **OTHERS}
    for axis, (split, title) in zip(drawn.subplots(1, 2), SPLITS.items(), strict=True):
        for i, (whose, label) in enumerate(labels.items()):
            values = [100 * np.array(content["splits"][split][whose]) for content in found]
            places = np.arange(len(found)) + (i - 1.5) * 0.2
            errors = [ci95(v) for v in values]
            axis.bar(places, [v.mean() for v in values], 0.18, yerr=errors, label=label)
        names = [f"{c['row']}, {c['config']['seed']}" for c in found]
        axis.set_xticks(range(len(found)), names, rotation=30, ha="right")
        axis.set(title=title, ylabel="accuracy (%)")
    drawn.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return png(drawn)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
