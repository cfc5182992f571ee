from dataclasses import replace
from pathlib import Path

import pytest
import running
from running import QUIET

from fewshot_film.config.catalog import default_config
from fewshot_film.runs.run import Run
from fewshot_film.runs.selection import choose_by_validation

BASE = default_config("glyphs-characters", **running.SHORT)


@pytest.mark.slow
def test_the_best_on_validation_classes_is_chosen(tmp_path: Path) -> None:
    scales = {"small": 0.01, "large": 1.0}
    candidates = {
        name: replace(BASE, head=f"squared-euclidean:scale={scale},learned=no")
        for name, scale in scales.items()
    }
    chosen = choose_by_validation(candidates, tmp_path, QUIET)
    accuracies = {name: Run(tmp_path / name).validation_accuracy() for name in candidates}
    assert chosen.path.name == max(accuracies, key=accuracies.__getitem__)
    assert not any((tmp_path / name / "test.json").exists() for name in candidates)

    before = (tmp_path / "small" / "best.safetensors").read_bytes()
    again = choose_by_validation(candidates, tmp_path, QUIET)
    assert again.path == chosen.path
    assert (tmp_path / "small" / "best.safetensors").read_bytes() == before
