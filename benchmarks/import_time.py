"""`import fewshot_film` against `import torch`: `python benchmarks/import_time.py`.

Each import is timed in an interpreter of its own, and both take turns, so that a noisy machine
slows them alike. The processor's seconds are noted beside the clock's: others' work moves them
less. Writes results/benchmarks/import-time.json and .md.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from tqdm import trange

from fewshot_film.base.files import write_atomic
from fewshot_film.base.provenance import environment
from fewshot_film.report.tables import table

RESULTS = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
MODULES = ("torch", "fewshot_film")
CLOCKS = ("perf_counter", "process_time")

Seconds = dict[str, list[float]]
"""A module -> the seconds of each of its imports."""


@dataclass(frozen=True)
class Options:
    """Time imports in fresh interpreters."""

    repeats: int = 25
    """Turns of every import."""
    results: Path = RESULTS
    """Folder of the JSON."""


def main(options: Options) -> None:
    rows = [row(clock, seconds) for clock, seconds in interleaved(options.repeats).items()]
    where = environment(torch.device("cpu"))
    content = {"rows": rows, "repeats": options.repeats, "environment": where}
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / "import-time.json"
    write_atomic(file, (json.dumps(content, indent=1) + "\n").encode())
    write_atomic(file.with_suffix(".md"), (show(rows) + "\n").encode())
    print(show(rows))


def interleaved(repeats: int) -> dict[str, Seconds]:
    """clock -> seconds of every import, after a turn that compiles and fills the disk's cache."""
    seconds: dict[str, Seconds] = {clock: {name: [] for name in MODULES} for clock in CLOCKS}
    for turn in trange(repeats + 1, desc="turns"):
        for name in MODULES:
            for clock, taken in zip(CLOCKS, fresh_import(name), strict=True):
                if turn:
                    seconds[clock][name].append(taken)
    return seconds


def fresh_import(name: str) -> list[float]:
    """The seconds that an interpreter of its own takes to import a module, by each clock."""
    code = f"""if True:
        from time import {", ".join(CLOCKS)}
        start = [clock() for clock in ({", ".join(CLOCKS)})]
        import {name}
        end = [clock() for clock in ({", ".join(CLOCKS)})]
        print(*(b - a for a, b in zip(start, end)))"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def row(clock: str, seconds: Seconds) -> dict[str, Any]:
    """The library's import beside torch's, which is part of it."""
    bare, mine = (seconds[name] for name in MODULES)
    return {
        "clock": clock,
        "torch_median_s": statistics.median(bare),
        "fewshot_film_median_s": statistics.median(mine),
        "difference_of_medians_s": statistics.median(mine) - statistics.median(bare),
        "difference_of_minima_s": min(mine) - min(bare),
        "ratio_of_medians": statistics.median(mine) / statistics.median(bare),
        "ratio_of_minima": min(mine) / min(bare),
    }


def show(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    keys = ("torch_median_s", "fewshot_film_median_s", "difference_of_medians_s")
    ratios = ("ratio_of_medians", "ratio_of_minima")
    head = ["clock", "torch s", "fewshot_film s", "difference s", "of medians", "of minima"]
    return table([head, *([r["clock"], *(f"{r[k]:.2f}" for k in keys + ratios)] for r in rows)])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
