"""Put the default runs into the package: `python experiments/ship_weights.py` after `make train`.

A shipped model is a run folder without what only its training needs: config.json, origin.json (the
classes that it must not be tested on), best.safetensors, and card.json, which says what was
measured, how, where and by which commit.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from fewshot_film.base.files import file_sha256, write_atomic
from fewshot_film.config.catalog import entry
from fewshot_film.errors import UsageError
from fewshot_film.runs.run import Run
from fewshot_film.runs.shipped import FOLDER

NAMES = {"glyphs-film": "film-0", "glyphs-none": "none-0"}
MEASURED = ("accuracy", "ci95", "episodes", "protocol", "groups", "environment", "trained")


@dataclass(frozen=True)
class Options:
    """Where the runs are."""

    runs: Path = Path("runs/quickstart")
    """The run folders of `make train`."""


def main(options: Options) -> int:
    """Ship every run, or say which one is not finished."""
    for name, folder in NAMES.items():
        run = Run(options.runs / folder)
        if not run.test_file.exists():
            raise UsageError(f"{run.path} is not finished; run: make train")
        ship(name, run)
        print(f"{name}: {FOLDER / name}")
    return 0


def ship(name: str, run: Run) -> None:
    """Copy what a model needs, and write its card."""
    target = Run(FOLDER / name)
    target.path.mkdir(parents=True, exist_ok=True)
    for file in (run.config_file, run.origin_file, run.best_file):
        shutil.copyfile(file, target.path / file.name)
    text = json.dumps(card(name, run), indent=1) + "\n"
    write_atomic(target.path / "card.json", text.encode())


def card(name: str, run: Run) -> dict[str, Any]:
    """What the model is, what it was measured at, and where it comes from."""
    config, test = run.config(), run.test()
    source = entry(config.dataset).source
    return {
        "name": name,
        "data": {"name": config.dataset, "what": source.summary, "licence": source.licence},
        "seed": config.seed,
        "validation_accuracy": run.validation_accuracy(),
        "training_seconds": round(run.seconds()),
        **{key: test[key] for key in MEASURED},
        "weights": {"file": run.best_file.name, "sha256": file_sha256(run.best_file)},
    }


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
