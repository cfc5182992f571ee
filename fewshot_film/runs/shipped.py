"""The trained models that ship with the package, by name; each is a run folder with a card."""

from __future__ import annotations

from pathlib import Path

from fewshot_film.runs.run import Run

FOLDER = Path(__file__).resolve().parents[1] / "shipped"


def shipped() -> dict[str, Run]:
    """name -> the run."""
    return {path.parent.name: Run(path.parent) for path in sorted(FOLDER.glob("*/config.json"))}
