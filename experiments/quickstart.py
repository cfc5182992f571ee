"""The default experiment: FiLM, no conditioning and adaptive batch norm on glyph tasks.

It types the commands a person could type: train the task-conditioned extractor, train the same
network without conditioning, and compare both and adaptive batch norm on the same 1,000 episodes
of scripts never seen. Half of the tasks ask for one of four attributes, which only the support
set tells; the others are characters in one rendering each, three of them never trained on.
Everything was chosen on the validation scripts. About six minutes a seed on two CPU cores.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy import ndarray

from fewshot_film.base.files import write_atomic
from fewshot_film.cli.main import main as fewshot_film
from fewshot_film.measure.paired import ci95, paired
from fewshot_film.report.tables import percent, table

ADAPTERS = {"film": "learned", "none": "none"}
"""What is trained -> how a support set adapts it."""
KINDS = {"all which-attribute": "which ", "all characters": "characters, "}
QUICK = ["--steps", "20", "--validate-every", "10", "--validation-episodes", "10"]
QUICK += ["--test-episodes", "20"]


@dataclass(frozen=True)
class Options:
    """Train FiLM and no conditioning on glyph tasks, and compare them with adaptive batch norm."""

    seeds: tuple[int, ...] = (0,)
    """Seeds to run, one after the other."""
    runs: Path = Path("runs/quickstart")
    """Where the run folders go; finished ones are not trained again."""
    results: Path | None = None
    """Also write tables, figure and JSON to this folder."""
    device: str = "auto"
    """auto, cpu or cuda."""
    quick: bool = False
    """A few steps only, to see that everything runs; the figures mean nothing."""


def main(options: Options) -> int:
    """Run every seed, print its table, and write the results if asked to."""
    if options.quick:  # never to be mistaken for, or resumed as, the real ones
        options = replace(options, runs=options.runs / "quick")
    out = options.results or options.runs
    out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        run_seed(options, seed, out)
    text = summary_of_seeds(out)
    write_atomic(out / "table.md", (text + "\n").encode())
    print(text)
    film = options.runs / f"film-{options.seeds[0]}"
    print(f"\nrun folders: {options.runs}   table: {out / 'table.md'}")
    print(f"pictures: {out / f'comparison-{options.seeds[0]}.png'}, {film / 'episodes.png'}")
    print(f"next: fewshot-film evaluate {film} --dataset glyphs-characters --way 20 --shot 1")
    return 0


def summary_of_seeds(out: Path) -> str:
    """A table for every seed that has been compared, now or before."""
    texts = []
    for file in sorted(out.glob("comparison-*.json"), key=lambda file: int(file.stem[11:])):
        comparison = json.loads(file.read_text())
        head = f"Seed {file.stem[11:]}, {comparison['environment']['device']}"
        texts.append(f"{head}\n\n{summary(comparison)}")
    return "\n\n".join(texts)


def run_seed(options: Options, seed: int, out: Path) -> None:
    """Both trainings and the comparison of one seed, to comparison-<seed>.json."""
    names = {name: str(options.runs / f"{name}-{seed}") for name in ADAPTERS}
    for name, run in names.items():
        words = ["train", "--adapter", ADAPTERS[name], "--seed", str(seed), "--out", run]
        words += ["--device", options.device, "--resume"]
        call([*words, *(QUICK if options.quick else [])])
    file = out / f"comparison-{seed}.json"
    words = ["compare", names["none"], names["film"], f"{names['none']}@adabn"]
    words += ["--device", options.device, "--json", str(file)]
    words += ["--picture", str(file.with_suffix(".png"))]
    call([*words, *(["--episodes", "40"] if options.quick else [])])


def call(words: list[str]) -> None:
    """Type a command; stop where it fails."""
    print(f"\n$ fewshot-film {' '.join(words)}", flush=True)
    code = fewshot_film(words)
    if code:
        sys.exit(code)


def summary(comparison: dict[str, Any]) -> str:
    """The comparison's JSON -> one row for each kind of task, with paired differences."""
    reports = comparison["reports"]
    groups = np.array(reports[0]["group"])
    accuracies = [np.array(report["accuracies"]) for report in reports]
    rows = [["tasks", "n", "none (%)", "FiLM (%)", "AdaBN (%)", "FiLM - none", "AdaBN - none"]]
    for name, chosen in _rows(groups):
        if chosen.any():
            rows.append([name, str(chosen.sum()), *_cells([a[chosen] for a in accuracies])])
    return table(rows)


def _rows(groups: ndarray) -> list[tuple[str, ndarray]]:
    """Each kind of task, after the groups that belong to it."""
    rows = []
    for kind, prefix in KINDS.items():
        of_kind = np.char.startswith(groups, prefix)
        names = sorted(set(groups[of_kind].tolist()))
        rows += [(name, groups == name) for name in names] + [(kind, of_kind)]
    return rows


def _cells(accuracies: list[ndarray]) -> list[str]:
    none, film, adabn = accuracies
    means = [percent(float(a.mean()), ci95(a)) for a in accuracies]
    changes = [paired(none, other) for other in (film, adabn)]
    return [*means, *(f"{100 * c.mean:+.1f} ± {100 * c.ci95:.1f}" for c in changes)]


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
