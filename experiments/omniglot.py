"""Omniglot, 5-way 1-shot, prototypical network: `python experiments/omniglot.py --data-root ROOT`.

Source: Snell et al. 2017 (98.8 % without an interval; reruns of the official code reach 98.4 %).
Protocol: Vinyals split, 28x28, rotations by quarter turns as extra classes, 1,000 episodes of
classes never seen, running statistics in batch norm. It differs from the paper in the schedule
(30-way 1-shot episodes of 5 queries, 6,000 of them, Adam along a cosine), which was chosen on the
validation classes. Writes results/omniglot/.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

import fewshot_film as ff
from fewshot_film.files import write_atomic
from fewshot_film.tables import percent, table

RESULTS = Path(__file__).resolve().parent.parent / "results" / "omniglot"


@dataclass(frozen=True)
class Options:
    """Train a prototypical network on Omniglot and write results/omniglot/."""

    data_root: Path | None = None
    """Where Omniglot is, or is downloaded to."""
    device: str = "cpu"
    """cpu or cuda."""
    out: Path = Path("runs/omniglot-none-0")
    """The run folder; an interrupted run goes on."""


def main(options: Options) -> None:
    config = replace(ff.default_config("omniglot"), conditioning="none")
    resumed = (options.out / "config.json").exists()
    start = time.perf_counter()
    run = ff.train(config, options.out, device=options.device, root=options.data_root, resume=True)
    result = {**run.test(), "wall_seconds": None if resumed else round(time.perf_counter() - start)}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomic(RESULTS / "protonet-5w1s.json", (json.dumps(result, indent=1) + "\n").encode())
    shutil.copy(run.curves_file, RESULTS / "curves.png")
    shutil.copy(run.episodes_file, RESULTS / "episodes.png")
    accuracy = percent(result["accuracy"], result["ci95"])
    rows = [["tasks", "accuracy (%)", "training and test (s)", "device"]]
    device = result["environment"]["device"]
    rows.append(["5-way 1-shot", accuracy, str(result["wall_seconds"] or "resumed"), device])
    write_atomic(RESULTS / "table.md", (table(rows) + "\n").encode())
    print(table(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
