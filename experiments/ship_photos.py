"""Put the model "photos" into the package: `python experiments/ship_photos.py`.

After `photos.py`, `pretrained_objects.py` and `natural_labellings.py`. What ships is
the seed that validated best, with a card: what it stands on, what it was trained on, and every
figure that was measured of it, beside the network that it stands on.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from natural_labellings import RECIPE as LABELLINGS
from photos import CAUTIOUS
from pretrained_objects import RECIPE as OBJECTS
from recipe import RESULTS

from fewshot_film.base.files import file_sha256, write_atomic
from fewshot_film.config.catalog import entry
from fewshot_film.config.stored import to_json
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.zoo import pretrained_network
from fewshot_film.runs.run import Run
from fewshot_film.runs.shipped import FOLDER

NAME = "photos"
ROWS = ("frozen", "photos")
TOLD = ("row", "test", "accuracy", "ci95", "episodes", "protocol")


@dataclass(frozen=True)
class Options:
    """Where the runs are."""

    runs: Path = Path("runs/photos")
    """The run folders of `experiments/photos.py`."""


def main(options: Options) -> int:
    """Ship the run that validated best."""
    folders = sorted(options.runs.glob(f"{NAME}-[0-9]*"))
    runs = [run for run in map(Run, folders) if run.best_file.exists()]
    if not runs:
        raise UsageError(f"{options.runs} holds no run; train some: python experiments/photos.py")
    run = max(runs, key=Run.validation_accuracy)
    target = FOLDER / NAME
    target.mkdir(parents=True, exist_ok=True)
    for file in (run.origin_file, run.best_file):
        shutil.copyfile(file, target / file.name)
    cautious = replace(run.config(), adapter=CAUTIOUS)  # the same weights, as they are to be used
    write_atomic(target / run.config_file.name, to_json(cautious).encode())
    write_atomic(target / "card.json", (json.dumps(card(run), indent=1) + "\n").encode())
    print(f"{run.path}: {target}")
    return 0


def card(run: Run) -> dict[str, Any]:
    """What the model is and stands on, what it has seen, and what was measured."""
    config, network = run.config(), pretrained_network("lite0")
    source = entry(config.dataset).source
    return {
        "name": NAME,
        "stands_on": {
            "network": config.extractor,
            "weights": network.source,
            "licence": network.licence,
            "preprocessing": asdict(network.preprocessing),
            "seen": "pretrained on ImageNet: its classes are among those of most photographs, so "
            "they are not new to this model",
        },
        "data": {"name": config.dataset, "what": source.summary, "licence": source.licence},
        "classes": "origin.json names those that were trained on or chosen by",
        "seed": config.seed,
        "validation_accuracy": run.validation_accuracy(),
        "training_seconds": round(run.seconds()),
        "trained": run.environments(),
        "figures": [
            *figures(RESULTS / OBJECTS.name),
            *figures(RESULTS / LABELLINGS.name),
        ],
        "weights": {"file": run.best_file.name, "sha256": file_sha256(run.best_file)},
    }


def figures(folder: Path) -> list[dict[str, Any]]:
    """Accuracy over all seeds on every test, of this model and of the frozen network."""
    files = (file for row in ROWS for file in sorted(folder.glob(f"{row}-[!-]*.json")))
    found = (json.loads(file.read_text()) for file in files)
    return [
        {key: content[key] for key in TOLD} | {"seeds": [s["seed"] for s in content["seeds"]]}
        for content in found
        if content["row"] in ROWS
    ]


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
