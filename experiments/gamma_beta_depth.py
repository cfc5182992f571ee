"""How strongly the task steers each layer: `python experiments/gamma_beta_depth.py`.

Source: Oreshkin et al., TADAM (2018), figure of the learned multipliers |gamma0| and |beta0| by
depth. The run is the full row of `tadam_ablation`; it is trained if it is not there.
What to compare: in the paper |gamma0| grows with depth and peaks at the last convolution of every
block, and |beta0| is appreciable in the last layers only.

A multiplier is one factor of what the task does; the network behind it is the other. So beside them
stands what comes out: how far gamma and beta move from task to task, over 200 tasks of validation
classes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rows
import torch
import tyro
from recipe import ended, shortened
from show import png
from tadam_ablation import Choices, chosen_recipe
from torch import Tensor

from fewshot_film.base.files import write_atomic
from fewshot_film.base.modes import evaluating
from fewshot_film.base.provenance import environment
from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.config.stored import to_values
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator import PerSiteGenerator
from fewshot_film.report.tables import table
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit
from fewshot_film.runs.trial import Trial, trial

ROW = "alpha-at-tc"
TASKS = 200
TITLES = {
    "gamma0": "|gamma0|",
    "beta0": "|beta0|",
    "gamma": "gamma, task to task",
    "beta": "beta, task to task",
}

Sizes = dict[str, dict[str, float]]
"""site -> quantity -> its size."""


def main(choices: Choices) -> int:
    return ended("gamma_beta_depth", lambda: measure(choices))


def measure(choices: Choices) -> Path:
    """Every seed's run -> its multipliers, as JSON, table and figure."""
    recipe = chosen_recipe(choices)
    recipe = shortened(recipe) if choices.quick else recipe
    out = choices.results_of(recipe.name.replace("tadam_ablation", "gamma_beta_depth"))
    config = next(row.config for row in recipe.rows if row.name == ROW)
    folder = choices.runs_of(recipe.name)
    found = earlier(out / "multipliers.json", config)
    for seed in choices.seeds:
        one = replace(config, seed=seed)
        run = fit(one, folder / f"{ROW}-{seed}", choices.machine, resume=True)
        found[seed] = about(run, choices)
    out.mkdir(parents=True, exist_ok=True)
    runs = [found[seed] for seed in sorted(found)]
    sizes = [measured["sizes"] for measured in runs]
    content = {"config": to_values(config), "runs": runs}
    write_atomic(out / "multipliers.json", (json.dumps(content, indent=1) + "\n").encode())
    protocol = Protocol(**runs[0]["protocol"])
    write_atomic(out / "table.md", f"{summary(sizes)}\n\n- {protocol}\n".encode())
    write_atomic(out / "figure.png", figure(sizes))
    return out


def earlier(file: Path, config: Config) -> dict[int, dict[str, Any]]:
    """seed -> what is known of its run; a file of another config is refused."""
    if not file.exists():
        return {}
    content = json.loads(file.read_text())
    rows.refuse_other(file, rows.stored_config(file, content, config.seed), asdict(config))
    return {run["seed"]: run for run in content["runs"]}


def about(run: Run, choices: Choices) -> dict[str, Any]:
    """A run's multipliers and what they do, and where they come from."""
    question = Question(split="val", query=1, episodes=2 if choices.quick else TASKS)
    asked = trial(run.path, question, choices.machine)
    adapter = asked.classifier.features.adapter
    assert isinstance(adapter, LearnedAdapter)
    assert isinstance(adapter.generator, PerSiteGenerator)
    adapter.generator.double()  # float32 next to gamma = 1 has steps of 1e-7
    tasks = task_params(asked)
    sizes = {
        site: {f"{name}0": size for name, size in multipliers.items()}
        | {name: spread([params[site][name] for params in tasks]) for name in multipliers}
        for site, multipliers in adapter.generator.multiplier_sizes().items()
    }
    return {
        "seed": run.config().seed,
        "sizes": sizes,
        "protocol": asdict(asked.protocol),
        "trained": run.environments(),
        "measured": environment(choices.machine.place),
    }


def task_params(asked: Trial) -> list[TaskParams]:
    """What the run makes of the support set of every task, the same tasks for every run."""
    features = asked.classifier.features
    with evaluating(asked.classifier):
        return [params for episode in asked.episodes() if (params := features.params_of(episode))]


def spread(values: list[Tensor]) -> float:
    """Deviation over tasks, as the root mean square over channels."""
    return torch.cat(values).var(0).mean().sqrt().item()


def summary(runs: list[Sizes]) -> str:
    """A row for each site: the mean over seeds, and each seed's value."""
    rows = [["site", *(cell for title in TITLES.values() for cell in (title, "by seed"))]]
    for site in runs[0]:
        cells = [site]
        for name in TITLES:
            values = [run[site][name] for run in runs]
            cells += [f"{np.mean(values):.2g}", ", ".join(f"{v:.2g}" for v in values)]
        rows.append(cells)
    return table(rows)


def figure(runs: list[Sizes]) -> bytes:
    """Every quantity by depth, a line for each seed and their mean."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10.0, 6.4), layout="constrained", dpi=110)
    for axis, name in zip(drawn.subplots(2, 2).flat, TITLES, strict=True):
        values = np.array([[site[name] for site in run.values()] for run in runs])
        depth = np.arange(1, values.shape[1] + 1)
        axis.plot(depth, values.T, color="0.7", lw=0.8)
        axis.plot(depth, values.mean(0), "o-", color="C0")
        for end in range(3, len(depth) + 1, 3):
            axis.axvline(end, color="0.85", lw=6, zorder=0)
        axis.set(xlabel="convolution (shaded: the last of a block)", ylabel=TITLES[name])
        axis.set_xticks(depth)
        axis.set_ylim(bottom=0)
    return png(drawn)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Choices, description=__doc__)))
