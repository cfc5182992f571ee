"""A training step against the bare backbone: `python benchmarks/step.py`.

The bare step is the same Conv-4's forward, backward and AdamW update on as many images, without
episodes, head or conditioning. All steps take turns in one process, so that a noisy machine slows
them alike; medians and minima are given as ratios. Where the task encoder reads the extractor's
features, its second pass over the support set counts as images for the bare step too. The steps
are on a batch drawn before; drawing one, with its deformed and rendered images, is timed apart.
Writes results/benchmarks/step-<device>.json and .md.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro
from tqdm import trange

import fewshot_film as ff
from fewshot_film.base.device import choose_device
from fewshot_film.base.files import write_atomic
from fewshot_film.base.memory import keep_freed_memory
from fewshot_film.base.provenance import environment
from fewshot_film.config.config import Config, suited
from fewshot_film.config.problem import problem_of
from fewshot_film.config.stored import to_values
from fewshot_film.report.tables import table
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.step import Step
from fewshot_film.runs.training_episodes import TrainingEpisodes

RESULTS = Path(__file__).resolve().parent.parent / "results" / "benchmarks"

Timed = Callable[[], object]


@dataclass(frozen=True)
class Options:
    """Time training steps against the bare backbone on glyph tasks."""

    device: str = "cpu"
    """cpu or cuda."""
    repeats: int = 30
    """Turns of every step."""
    results: Path = RESULTS
    """Folder of the JSON."""


def main(options: Options) -> None:
    keep_freed_memory()
    device = choose_device(options.device)
    cases = configs()
    steps: dict[str, Timed] = {}
    for name, config in cases.items():
        problem = problem_of(config, Path())
        drawn = TrainingEpisodes(config, problem, problem.images("train").to(device))
        episode = drawn.at(0).to(device)
        steps[name] = partial(Step(config, device), Learner(config, problem, device), episode)
        images = torch.cat([episode.support.images, episode.query.images], dim=1)
        if "second pass" in name:
            images = torch.cat([images, episode.support.images], dim=1)
        steps[f"bare, as {name}"] = bare_step(config, images)
        steps[f"sampling, as {name}"] = partial(drawn.at, 0)
    seconds = interleaved(steps, options.repeats, device)
    rows = [row(name, cases[name], seconds) for name in cases]
    content = {"rows": rows, "repeats": options.repeats, "environment": environment(device)}
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"step-{device.type}.json"
    write_atomic(file, (json.dumps({**content, "seed": 0}, indent=1) + "\n").encode())
    write_atomic(file.with_suffix(".md"), (show(rows) + "\n").encode())
    print(show(rows))


def configs() -> dict[str, Config]:
    """What is timed: 16 tasks of 5-way 1-shot 5-query on Conv-4 with 64 channels; the default."""
    film = ff.default_config("glyphs-characters", shot=1, query=5, tasks=16, extractor="conv4")
    default = ff.default_config("glyphs-attributes")
    return {
        "prototypical network": suited(film, adapter="none"),
        "FiLM, mean of prototypes (second pass)": replace(film, encoder="prototype-mean"),
        "FiLM, discriminative": film,
        "default: FiLM and attribute loss, 32 channels": default,
    }


def bare_step(config: Config, images: torch.Tensor) -> Timed:
    """Forward, backward and update of the backbone alone."""
    network = ff.build(suited(config, adapter="none")).features.extractor
    network.to(images.device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        optimizer.zero_grad()
        network(images).square().mean().backward()
        optimizer.step()

    return run


def interleaved(
    steps: dict[str, Timed], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """name -> seconds of each of its turns, after three turns to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in trange(repeats + 3, desc="turns"):
        for name, run in steps.items():
            start = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn >= 3:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def row(name: str, config: Config, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """One step beside its bare backbone."""
    mine, bare = seconds[name], seconds[f"bare, as {name}"]
    return {
        "step": name,
        "ratio_of_medians": statistics.median(mine) / statistics.median(bare),
        "ratio_of_minima": min(mine) / min(bare),
        "median_of_ratios": statistics.median(m / b for m, b in zip(mine, bare, strict=True)),
        "median_ms": 1000 * statistics.median(mine),
        "bare_median_ms": 1000 * statistics.median(bare),
        "sampling_median_ms": 1000 * statistics.median(seconds[f"sampling, as {name}"]),
        "config": to_values(config),
    }


def show(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    cells = [["step", "of medians", "of minima", "median ms", "bare ms", "sampling ms"]]
    for r in rows:
        ratios = [f"{r[key]:.2f}" for key in ("ratio_of_medians", "ratio_of_minima")]
        times = [f"{r[key]:.1f}" for key in ("median_ms", "bare_median_ms", "sampling_median_ms")]
        cells.append([r["step"], *ratios, *times])
    return table(cells)


if __name__ == "__main__":
    main(tyro.cli(Options))
