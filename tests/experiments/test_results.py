"""Every file of results/ is of a recipe as it stands, and its tables are written from it again."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bringing
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "experiments"))
import adabn_digits
import adabn_office_caltech10
import adabn_pacs
import adabn_sample_count
import cifar_fs_protonet
import fc100_protonet
import gamma_beta_depth
import glyph_domain_shift
import natural_labellings
import omniglot_protonet
import photos
import pretrained_objects
import quickstart
import recipe
import rows
import sites_and_stages
import tadam_ablation
import tadam_readings
import task_swap
from recipe import Options

from fewshot_film.config.protocol import Protocol, Question

RESULTS = ROOT / "results"
RECIPES = {
    made.name: made
    for made in (
        adabn_digits.RECIPE,
        adabn_office_caltech10.RECIPE,
        adabn_pacs.RECIPE,
        cifar_fs_protonet.RECIPE,
        fc100_protonet.RECIPE,
        glyph_domain_shift.RECIPE,
        omniglot_protonet.RECIPE,
        tadam_ablation.narrow(),
        tadam_readings.RECIPE,
        *bringing.RECIPES,
        natural_labellings.RECIPE,
        photos.RECIPE,
        pretrained_objects.RECIPE,
        sites_and_stages.RECIPE,
    )
}
OTHERS = {"adabn_sample_count", "gamma_beta_depth", "task_swap", "quickstart"}
OTHERS |= {"photos_caution", "benchmarks"}
"""Results that are not rows put to tests."""


@pytest.fixture(autouse=True)
def _parts() -> Iterator[None]:
    """Those that a recipe brings."""
    with bringing.known():
        yield


def test_the_photographs_model_is_as_careful_as_was_chosen() -> None:
    chosen = json.loads((RESULTS / "photos_caution/caution.json").read_text())["chosen"]
    assert f"safe:margin={chosen['margin']},apart={chosen['apart']}" == photos.CAUTIOUS


def test_no_result_is_left_out() -> None:
    finished = {file.parent.name for file in RESULTS.glob("*/table.md")}
    assert finished | {"benchmarks"} == RECIPES.keys() | OTHERS


@pytest.mark.parametrize("name", RECIPES)
def test_every_file_is_of_a_row_as_it_is_now(name: str) -> None:
    checked = {"differences.json"}
    for row in RECIPES[name].rows:
        for asked in row.tests:
            rows.check_same(RESULTS / name, row.name, row.config, asked, row.variant)
            checked.add(f"{row.name}-{rows.test_name(asked)}.json")
    assert {file.name for file in (RESULTS / name).glob("*.json")} <= checked


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_tables_are_those_of_the_figures(name: str, tmp_path: Path) -> None:
    out = shutil.copytree(RESULTS / name, tmp_path / name)
    recipe.write_tables(replace(RECIPES[name], figure=lambda _: b""), out)
    for file in ("table.md", "differences.json"):
        if (RESULTS / name / file).exists():
            assert (out / file).read_text() == (RESULTS / name / file).read_text()


def test_curves_by_number_of_images() -> None:
    folder, amount = RESULTS / "adabn_sample_count", adabn_sample_count.Amount()
    curves = []
    for file in sorted(folder.glob("*.json")):
        curves.append(curve := json.loads(file.read_text()))
        config = adabn_sample_count.config_of(curve["source"], curve["seed"], Options())
        adabn_sample_count.check_same(file, config, amount)
    text = adabn_sample_count.summary(curves, amount.counts)
    assert text + "\n" == (folder / "table.md").read_text()


def test_multipliers_by_depth() -> None:
    folder, made = RESULTS / "gamma_beta_depth", RECIPES["tadam_ablation"]
    config = next(row.config for row in made.rows if row.name == gamma_beta_depth.ROW)
    runs = gamma_beta_depth.earlier(folder / "multipliers.json", config)
    assert runs.keys() == {0, 1, 2}
    text = gamma_beta_depth.summary([run["sizes"] for run in runs.values()])
    protocol = Protocol(**runs[0]["protocol"])
    assert f"{text}\n\n- {protocol}\n" == (folder / "table.md").read_text()


@pytest.mark.slow
def test_swapped_parameters() -> None:
    folder, asked = RESULTS / "task_swap", Question(episodes=task_swap.TASKS)
    found = task_swap.measured(task_swap.SWAPPED, folder, asked)
    assert len(found) == len(list(folder.glob("*.json")))
    assert task_swap.summary(found) + "\n" == (folder / "table.md").read_text()


def test_the_quickstart() -> None:
    folder = RESULTS / "quickstart"
    assert quickstart.summary_of_seeds(folder) + "\n" == (folder / "table.md").read_text()
