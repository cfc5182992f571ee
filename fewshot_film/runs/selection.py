"""Choosing among configs by their accuracy on validation classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit


def choose_by_validation(
    candidates: Mapping[str, Config], out: Path | str, machine: Machine = HERE
) -> Run:
    """name -> Config, each trained in the folder out/name -> the run that validated best.

    The best of each run's validations counts; of equals, the first. Test classes are not looked
    at. What was trained before is not trained again.
    """
    runs = [
        fit(config, Path(out) / name, machine, resume=True) for name, config in candidates.items()
    ]
    return max(runs, key=Run.validation_accuracy)
