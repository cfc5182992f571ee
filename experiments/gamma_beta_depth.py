"""How strongly the task steers each layer: `python experiments/gamma_beta_depth.py`.

Source: Oreshkin et al., TADAM (2018), figure of the learned post-multipliers |gamma0| and |beta0|
by depth. The run is the full row of `tadam_ablation`; it is trained if it is not there.
What to compare: in the paper |gamma0| grows with depth and peaks at the last convolution of every
block, and |beta0| is appreciable in the last layers only.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rows
import tyro
from recipe import ended, shortened
from show import png
from tadam_ablation import Choices, chosen_recipe

from fewshot_film.adaptation import LearnedAdapter
from fewshot_film.config import Config
from fewshot_film.files import write_atomic
from fewshot_film.generator import PerSiteGenerator
from fewshot_film.run import Run, load
from fewshot_film.tables import table
from fewshot_film.training import fit

ROW = "alpha-at-tc"

Strengths = dict[str, dict[str, float]]


def main(choices: Choices) -> int:
    return ended("gamma_beta_depth", lambda: measure(choices))


def measure(choices: Choices) -> Path:
    """Every seed's run -> its multipliers, as JSON, table and figure."""
    recipe = chosen_recipe(choices)
    recipe = shortened(recipe) if choices.quick else recipe
    out = choices.results_of(recipe.name.replace("tadam_ablation", "gamma_beta_depth"))
    config = next(row.config for row in recipe.rows if row.name == ROW)
    folder = choices.runs_of(recipe.name)
    found = earlier(out / "strengths.json", config)
    for seed in choices.seeds:
        one = replace(config, seed=seed)
        run = fit(one, folder / f"{ROW}-{seed}", resume=True, **choices.place())
        found[seed] = about(run)
    out.mkdir(parents=True, exist_ok=True)
    runs = [found[seed] for seed in sorted(found)]
    strengths = [run["strengths"] for run in runs]
    content = {"config": asdict(config), "runs": runs}
    write_atomic(out / "strengths.json", (json.dumps(content, indent=1) + "\n").encode())
    write_atomic(out / "table.md", (summary(strengths) + "\n").encode())
    write_atomic(out / "figure.png", figure(strengths))
    return out


def earlier(file: Path, config: Config) -> dict[int, dict[str, Any]]:
    """seed -> what is known of its run; a file of another config is refused."""
    if not file.exists():
        return {}
    content = json.loads(file.read_text())
    rows.refuse_other(file, rows.stored_config(file, content, config.seed), asdict(config))
    return {run["seed"]: run for run in content["runs"]}


def about(run: Run) -> dict[str, Any]:
    """A run's multipliers, and where they come from."""
    adapter = load(run.path, "cpu").features.adapter
    assert isinstance(adapter, LearnedAdapter)
    assert isinstance(adapter.generator, PerSiteGenerator)
    return {
        "seed": run.config().seed,
        "strengths": adapter.generator.strengths(),
        "trained": run.environments(),
    }


def summary(runs: list[Strengths]) -> str:
    """A row for each site: the mean over seeds, and each seed's value."""
    rows = [["site", "gamma0", "by seed", "beta0", "by seed"]]
    for site in runs[0]:
        cells = [site]
        for name in ("gamma", "beta"):
            values = [run[site][name] for run in runs]
            cells += [f"{np.mean(values):.4f}", ", ".join(f"{v:.4f}" for v in values)]
        rows.append(cells)
    return table(rows)


def figure(runs: list[Strengths]) -> bytes:
    """|gamma0| and |beta0| by depth, a line for each seed and their mean."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10.0, 3.8), layout="constrained", dpi=110)
    for axis, name in zip(drawn.subplots(1, 2), ("gamma", "beta"), strict=True):
        values = np.array([[site[name] for site in run.values()] for run in runs])
        depth = np.arange(1, values.shape[1] + 1)
        axis.plot(depth, values.T, color="0.7", lw=0.8)
        axis.plot(depth, values.mean(0), "o-", color="C0")
        for end in range(3, len(depth) + 1, 3):
            axis.axvline(end, color="0.85", lw=6, zorder=0)
        axis.set(xlabel="convolution (shaded: the last of a block)", ylabel=f"|{name}0|")
        axis.set_xticks(depth)
        axis.set_ylim(bottom=0)
    return png(drawn)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Choices, description=__doc__)))
