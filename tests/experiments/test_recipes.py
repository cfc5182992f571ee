"""Every recipe runs from end to end, goes on where it was, and never mixes or leaks figures."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bringing
import foreign
import making
import numpy as np
import official
import pytest
import torch

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
import photos_caution
import pretrained_objects
import recipe
import rows
import show
import tadam_ablation
import tadam_readings
import task_swap
from recipe import Options, Recipe
from tadam_ablation import (
    PUBLISHED,
    PUBLISHED_DECAYS,
    Choices,
    ablation,
    conditioned,
    fixed_scale,
    narrow,
)

from fewshot_film.base.seeding import TEST, generator
from fewshot_film.config.problem import problem_of
from fewshot_film.config.protocol import Question
from fewshot_film.config.stored import from_values
from fewshot_film.data.sets.domain_folders import OFFICE_CALTECH10, PACS
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import NoAdaptation
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.parts.extractor.pretrained.zoo import pretrained_network
from fewshot_film.parts.head import HEADS
from fewshot_film.runs.run import Run
from fewshot_film.runs.trial import trial

pytestmark = pytest.mark.slow

RECIPES = {
    "omniglot_protonet": omniglot_protonet.RECIPE,
    "cifar_fs_protonet": cifar_fs_protonet.RECIPE,
    "fc100_protonet": fc100_protonet.RECIPE,
    "tadam_ablation": narrow(),
    "tadam_readings": tadam_readings.RECIPE,
    "tadam_ablation_published": ablation(
        "tadam_ablation_published", PUBLISHED, 10_000, PUBLISHED_DECAYS
    ),
}
DOMAIN_RECIPES = {
    "glyph_domain_shift": glyph_domain_shift.RECIPE,
    "adabn_digits": adabn_digits.RECIPE,
    "adabn_pacs": adabn_pacs.RECIPE,
    "adabn_office_caltech10": adabn_office_caltech10.RECIPE,
}
PRETRAINED_RECIPES = {
    made.name: made
    for made in (
        *bringing.RECIPES,
        pretrained_objects.RECIPE,
        natural_labellings.RECIPE,
    )
}
PACS_CLASSES = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
OFFICE_CLASSES = (
    *("backpack", "bike", "calculator", "headphones", "keyboard"),
    *("laptop_computer", "monitor", "mouse", "mug", "projector"),
)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every data set with as many images a class as a quick run asks for."""
    root = tmp_path_factory.mktemp("official")
    official.cifar100(root, train=5, test=1)
    official.omniglot(root, drawers=6)
    official.digits(root, train=60, test=21)
    domains = {"pacs": PACS, "office_caltech10": OFFICE_CALTECH10}
    for (folder, source), classes in zip(
        domains.items(), (PACS_CLASSES, OFFICE_CLASSES), strict=True
    ):
        official.domain_folders(root / folder, source.domains, classes, 60)
    return root


@pytest.fixture
def options(data: Path, tmp_path: Path) -> Options:
    return Options(device="cpu", data_root=data, runs=tmp_path / "runs", quick=True)


def results(options: Options, name: str) -> Path:
    return options.runs / "quick" / name / "results"


@pytest.mark.parametrize("name", RECIPES)
def test_a_quick_run_writes_every_row(
    name: str,
    options: Options,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipe, "RESULTS", tmp_path / "results")
    made = RECIPES[name]
    assert recipe.run_recipe(made, options) == 0
    out, printed = results(options, name), capsys.readouterr().out
    assert (out / "table.md").read_text().strip() in printed
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    for row in recipe.shortened(made).rows:
        for asked in row.tests:
            assert_whole(out, row.name, rows.test_name(asked))
    assert "2-way" in printed
    assert "inductive" in printed
    assert not (tmp_path / "results").exists(), "quick figures never land in results/"


def assert_whole(out: Path, row: str, test: str) -> None:
    """The JSON has the keys of `evaluate --json`, and its means are those of its episodes."""
    content = json.loads((out / f"{row}-{test}.json").read_text())
    assert {"accuracy", "ci95", "episodes", "protocol", "config", "seeds"} <= content.keys()
    (seed,) = content["seeds"]
    assert {"seed", "accuracy", "ci95", "validation_accuracy", "training_seconds"} <= seed.keys()
    assert seed["trained"][0]["commit"] == seed["tested"]["commit"]
    assert seed["training_seconds"] >= 0
    found = rows.read(out, row, test)
    assert found is not None
    assert found.accuracies.shape == (1, content["episodes"])
    assert found.accuracies.mean() == pytest.approx(content["accuracy"])
    config = from_values(content["config"])
    assert content["protocol"]["trained_shot"] == (None if config.classifies else config.shot)


def assert_every_row(made: Recipe, out: Path) -> None:
    """Each under each of its tests."""
    for row in recipe.shortened(made).rows:
        for asked in row.tests:
            assert_whole(out, row.name, rows.test_name(asked))
            found = rows.read(out, row.name, rows.test_name(asked))
            assert found is not None
            assert found.content["variant"] == row.variant
            assert found.content["protocol"]["transductive"] is False


def lessened(made: Recipe) -> Recipe:
    """Without most of the rows that differ in the head alone; one test of every data set."""
    heads = {f"frozen-{name}" for name in HEADS.names if name not in ("cosine", "ridge")}
    kept = [row for row in made.rows if row.name not in heads]
    by_set = [{asked.dataset: asked for asked in row.tests}.values() for row in kept]
    return replace(
        made, rows=tuple(replace(r, tests=tuple(t)) for r, t in zip(kept, by_set, strict=True))
    )


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another one in the place of EfficientNet-Lite0, beside the parts that a recipe brings."""
    monkeypatch.setitem(EXTRACTORS.parts, "efficientnet-lite0", foreign.tiny)
    with bringing.known():
        yield


@pytest.mark.usefixtures("small_network", "unchecked")
@pytest.mark.parametrize("name", PRETRAINED_RECIPES)
def test_a_quick_run_of_a_pretrained_network(
    name: str, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows are written on every data set, and the trainings that they share are made once."""
    made = lessened(PRETRAINED_RECIPES[name])
    assert recipe.run_recipe(made, options) == 0
    out, printed = results(options, name), capsys.readouterr().out
    assert_every_row(made, out)
    assert (out / "table.md").read_text().strip() in printed
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    trained = {
        path.parent.relative_to(options.runs / "quick").as_posix()
        for path in options.runs.rglob("best.safetensors")
    }
    expected = {f"{row.home or made.name}/{row.training or row.name}-0" for row in made.rows}
    assert trained == expected


@pytest.mark.usefixtures("unchecked")
def test_a_quick_run_of_the_model_that_ships(options: Options) -> None:
    """With the published network itself; what a run stores does not hold its weights."""
    try:
        pretrained_network("lite0")
    except UsageError as error:
        pytest.skip(str(error))
    assert recipe.run_recipe(photos.RECIPE, options) == 0
    assert_every_row(photos.RECIPE, results(options, "photos"))
    run = options.runs / "quick/photos/photos-0"
    assert (run / "best.safetensors").stat().st_size < 2**21
    assert photos_caution.main(options) == 0
    found = json.loads((results(options, "photos_caution") / "caution.json").read_text())
    tried = found["tried"]
    assert len(tried) == len(photos_caution.MARGINS) * len(photos_caution.APARTS)
    assert found["chosen"] in tried
    never = next(one for one in tried if (one["margin"], one["apart"]) == (-1.0, None))
    assert never["worst"] == never["mean"] == 0, "nothing is taken, and nothing changes"


@pytest.mark.parametrize("name", DOMAIN_RECIPES)
def test_a_quick_run_on_domains(
    name: str, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row is written, and a column a method, the transductive ones apart."""
    made = DOMAIN_RECIPES[name]
    assert recipe.run_recipe(made, options) == 0
    out, printed = results(options, name), capsys.readouterr().out
    transductive = set()
    for row in recipe.shortened(made).rows:
        for asked in row.tests:
            assert_whole(out, row.name, rows.test_name(asked))
            found = rows.read(out, row.name, rows.test_name(asked))
            assert found is not None
            protocol = found.content["protocol"]
            assert protocol["domains"] == asked.domains
            transductive |= {row.variant} if protocol["transductive"] else set()
    assert (
        transductive
        == {
            "glyph_domain_shift": {"@adabn-query"},
            "adabn_digits": set(),
            "adabn_pacs": {"@adabn-query", "@adabn-domain"},
            "adabn_office_caltech10": {"@adabn-query", "@adabn-domain"},
        }[name]
    )
    table = (out / "table.md").read_text()
    assert table.strip() in printed
    assert ("(transductive)" in table) == bool(transductive)
    assert "±" in table.splitlines()[2].split("|")[4], "a difference stands beside each domain"
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_curve_by_number_of_images(options: Options) -> None:
    """Two numbers of images, two draws, four pairs; a smaller draw lies within a larger one."""
    assert adabn_sample_count.main(options) == 0
    out = results(options, "adabn_sample_count")
    files = sorted(out.glob("*-0.json"))
    assert len(files) == len(adabn_sample_count.PAIRS)
    for file in files:
        curve = json.loads(file.read_text())
        assert curve["counts"] == [1, 8]
        assert np.array(curve["adapted"]).shape == (2, 2)
        assert curve["protocol"]["domains"] == curve["target"]
    files[0].unlink()
    curve = json.loads(files[-1].read_text())
    files[-1].write_text(json.dumps(curve | {"config": {**curve["config"], "steps": 5}}))
    assert adabn_sample_count.main(options) == 2, "a curve of another training is not put beside"
    files[-1].write_text(json.dumps(curve))
    kept = files[1].stat().st_mtime_ns
    assert adabn_sample_count.main(options) == 0, "it goes on where it was"
    assert files[0].exists()
    assert files[1].stat().st_mtime_ns == kept
    problem = problem_of(adabn_digits.rows_of("mnist")[0].config, options.machine.root)
    images = adabn_sample_count.target_images(problem, "usps")
    few, many = (adabn_sample_count.some(images, count, draw=1) for count in (3, 8))
    assert np.array_equal(many.images[:3], few.images)


@pytest.mark.parametrize("name", ["cifar_fs_protonet", "gamma_beta_depth"])
def test_the_command_a_person_types(name: str, options: Options) -> None:
    words = ["--quick", "--device", "cpu", "--data-root", str(options.data_root)]
    done = subprocess.run(
        [sys.executable, ROOT / f"experiments/{name}.py", *words, "--runs", options.runs],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"results: {results(options, name)}" in done.stdout


def test_multipliers_of_further_seeds_are_added(data: Path, tmp_path: Path) -> None:
    for seed in (2, 0):
        choices = Choices(
            device="cpu", data_root=data, runs=tmp_path, quick=True, rows=(), seeds=(seed,)
        )
        assert gamma_beta_depth.main(choices) == 0
    out = tmp_path / "quick/gamma_beta_depth/results"
    content = json.loads((out / "multipliers.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [0, 2]
    other = content | {"config": {**content["config"], "steps": 5}}
    (out / "multipliers.json").write_text(json.dumps(other))
    assert gamma_beta_depth.main(choices) == 2, "multipliers of another training are not mixed in"


def test_parameters_are_swapped_between_tasks(options: Options) -> None:
    options = replace(options, rows=("tc",))
    assert task_swap.main(options) == 0
    file = results(options, "task_swap") / "tc-0.json"
    kept, text = file.stat().st_mtime_ns, file.read_text()
    assert task_swap.main(options) == 0
    assert file.stat().st_mtime_ns == kept, "it goes on where it was"
    config = {**json.loads(text)["config"], "steps": 5}
    file.write_text(json.dumps(json.loads(text) | {"config": config}))
    assert task_swap.main(options) == 2, "accuracies of another training are not put beside"


def floats(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and statistics as they are now."""
    state = module.state_dict()
    return {name: v.clone() for name, v in state.items() if v.is_floating_point()}


def size_of(logits: torch.Tensor, _: object) -> float:
    """A figure that any change of an answer moves, unlike accuracy on images this simple."""
    return logits.double().square().mean().item()


def test_every_task_by_its_own_parameters_another_s_and_none(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert task_swap.main(replace(options, rows=("tc",))) == 0
    run = options.runs / "quick/tadam_readings/tc-0"
    asked = Question(split="val", query=1, episodes=3)
    put = trial(run, asked, options.machine)
    model, drawn = put.classifier, [put.sampler.sample(1, generator(0, TEST, i)) for i in range(3)]
    assert isinstance(model, FewShotClassifier)
    making.lived_in(model.features.adapter)  # a short training steers next to nothing
    before = floats(model)
    monkeypatch.setattr(task_swap, "share_correct", size_of)
    found = task_swap.accuracies(put)
    for name, value in floats(model).items():
        assert torch.equal(value, before[name]), name
    unconditioned, as_trained = model.with_adapter(NoAdaptation()), copy.deepcopy(model)
    with torch.no_grad():
        params = [model.eval().features.params_of(episode) for episode in drawn]
        by_hand = {
            "own": [model(episode) for episode in drawn],
            "another": [model.classify(drawn[i], params[i - 1]) for i in range(3)],
            "none": [unconditioned.eval()(episode) for episode in drawn],
            "batch": [as_trained.train()(episode) for episode in drawn],
        }
    for whose, logits in by_hand.items():
        assert found[whose] == [size_of(task, None) for task in logits], whose
    different = {figure for figures in found.values() for figure in figures}
    assert len(different) == 12, "no two tasks, and no two ways to answer one, look alike"


def test_share_correct_counts_queries() -> None:
    logits = torch.tensor([[[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [5.0, 4.0]]])
    task = making.episode(1, way=2, shot=1, query=2)
    labels = task.query.labels
    assert task_swap.share_correct(logits, task) == (logits.argmax(2) == labels).sum() / 4


def test_what_is_finished_is_not_trained_again(options: Options) -> None:
    made = RECIPES["cifar_fs_protonet"]
    assert recipe.run_recipe(made, options) == 0
    run = options.runs / "quick/cifar_fs_protonet/one-shot-0/best.safetensors"
    file = results(options, "cifar_fs_protonet") / "one-shot-2w1s.json"
    weights, text = run.stat().st_mtime_ns, file.read_text()
    assert recipe.run_recipe(made, options) == 0
    assert run.stat().st_mtime_ns == weights
    assert file.read_text() == text


def test_seeds_are_added_in_any_order(options: Options) -> None:
    made = RECIPES["cifar_fs_protonet"]
    only = replace(options, rows=("five-shot",))
    for seed in (2, 0):
        assert recipe.run_recipe(made, replace(only, seeds=(seed,))) == 0
    found = rows.read(results(options, "cifar_fs_protonet"), "five-shot", "2w5s")
    assert found is not None
    assert found.seeds == [0, 2]
    seeds = [seed["accuracy"] for seed in found.content["seeds"]]
    assert found.accuracies.mean(1).tolist() == pytest.approx(seeds)
    assert found.content["accuracy"] == pytest.approx(np.mean(seeds))


def changed(made: Recipe, **fields: Any) -> Recipe:
    first, *others = made.rows
    config = replace(first.config, **fields)
    return replace(made, rows=(replace(first, config=config), *others))


def test_figures_of_two_configs_are_not_mixed(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    made = RECIPES["cifar_fs_protonet"]
    assert recipe.run_recipe(made, options) == 0
    before = (results(options, "cifar_fs_protonet") / "one-shot-2w1s.json").read_text()
    capsys.readouterr()
    assert recipe.run_recipe(changed(made, learning_rate=0.5), options) == 2
    line = capsys.readouterr().err
    assert "one-shot-2w1s.json is of learning_rate = 0.004" in line
    assert "this recipe has learning_rate = 0.5" in line
    assert (results(options, "cifar_fs_protonet") / "one-shot-2w1s.json").read_text() == before


def test_a_row_that_is_not_there(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.run_recipe(RECIPES["tadam_ablation"], replace(options, rows=("beta",))) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("tadam_ablation: --rows beta: tadam_ablation has the rows plain, alpha,")


def test_missing_data_are_one_line(
    options: Options,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy"):  # a proxy that nobody listens at
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    empty = replace(options, data_root=tmp_path / "empty")
    assert recipe.run_recipe(RECIPES["cifar_fs_protonet"], empty) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    line = next(line for line in lines if line.startswith("cifar_fs_protonet: "))
    folder = tmp_path / "empty/cifar-100-python"
    assert f"with: curl -L -o {folder}.tar.gz https://" in line
    assert f"its content, the files train, test and meta, as the folder {folder};" in line
    assert "--data-root or FEWSHOT_FILM_DATA" in line
    assert not any("Traceback" in line for line in lines)


def result(row: str, seeds: list[int], accuracies: list[list[float]]) -> rows.Result:
    about = [{"seed": seed, "tested": {"commit": f"c{seed % 2}"}} for seed in seeds]
    content = {"row": row, "test": "5w1s", "seeds": about}
    return rows.Result(content, np.array(accuracies))


def test_differences_are_paired_by_hand() -> None:
    """Two rows, two seeds in common, three episodes."""
    base = result("a", [0, 1], [[0.2, 0.4, 0.6], [0.4, 0.4, 0.4]])
    other = result("b", [1, 2, 0], [[0.6, 0.8, 0.4], [0.0, 0.0, 0.0], [0.2, 0.4, 0.6]])
    change = rows.difference(other, base)
    assert change is not None
    differences = np.array([0.1, 0.2, 0.0])
    assert change["to"] == "a"
    assert change["mean"] == pytest.approx(0.1)
    assert change["ci95"] == pytest.approx(1.96 * differences.std(ddof=1) / 3**0.5)
    assert change["by_seed"] == {0: pytest.approx(0.0), 1: pytest.approx(0.2)}
    assert change["ci95_trainings"] == pytest.approx(12.706 * 0.1, rel=1e-4), "t of one degree"
    assert change["tested"] == [{"commit": "c1"}, {"commit": "c0"}]


def test_one_training_says_nothing_of_how_trainings_vary() -> None:
    change = rows.difference(result("a", [0], [[0.5, 1.0]]), result("b", [0], [[0.5, 0.5]]))
    assert change is not None
    assert change["ci95_trainings"] is None


def test_no_seed_in_common_is_no_difference() -> None:
    assert rows.difference(result("a", [0], [[0.5, 1.0]]), result("b", [1], [[0.5, 0.5]])) is None


def test_every_row_of_the_ablation_adds_a_part_to_the_one_it_is_compared_with() -> None:
    made = {row.name: row for row in RECIPES["tadam_ablation"].rows}
    changes = {
        (row.name, row.compared_with): [
            name
            for name, value in vars(row.config).items()
            if value != getattr(made[row.compared_with].config, name)
        ]
        for row in made.values()
        if row.compared_with
    }
    assert changes == {
        ("alpha", "plain"): ["head"],
        ("alpha-at", "alpha"): ["auxiliary"],
        ("alpha-tc", "alpha"): ["adapter", "generator", "optimizer"],
        ("alpha-at-tc", "alpha-at"): ["adapter", "generator", "optimizer"],
        ("plain-bfloat16", "plain"): ["precision"],
        ("alpha-bfloat16", "alpha"): ["precision"],
        ("alpha-at-bfloat16", "alpha-at"): ["precision"],
    }


def test_every_reading_changes_one_thing() -> None:
    made = {row.name: row.config for row in tadam_readings.ROWS}
    several = {"tc", "tc-discriminative"}  # what is conditioned has more that is its own
    for row in tadam_readings.ROWS[1:]:
        base = made[str(row.compared_with)]
        changed = {name for name, value in vars(row.config).items() if value != vars(base)[name]}
        assert len(changed) == 1 or row.name in several
        assert changed
    assert len({tuple(vars(config).items()) for config in made.values()}) == len(made)


def test_rows_in_bfloat16_are_left_out_where_they_tell_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, choices = narrow(), Choices(device="cpu")
    monkeypatch.setattr(tadam_ablation, "has_bfloat16", lambda device: device.type != "cpu")
    names = tadam_ablation.able(made, choices).rows
    assert names == ("plain", "alpha", "alpha-at", "alpha-tc", "alpha-at-tc")
    asked = replace(choices, rows=("alpha-bfloat16",))
    assert tadam_ablation.main(asked) == 2
    assert "--rows alpha-bfloat16: --device cpu does not compute" in capsys.readouterr().err
    monkeypatch.setattr(tadam_ablation, "has_bfloat16", lambda _device: True)
    assert tadam_ablation.able(made, asked) == asked


def test_no_accuracy_moves_with_bfloat16() -> None:
    """Of nine pairs of trainings in results/, three a row, it moves by less than their interval."""
    text = (ROOT / "results/tadam_ablation/differences.json").read_text()
    moved = {d["row"]: d for d in json.loads(text) if d["row"].endswith("-bfloat16")}
    assert moved.keys() == {"plain-bfloat16", "alpha-bfloat16", "alpha-at-bfloat16"}
    assert all(len(change["by_seed"]) == 3 for change in moved.values())
    assert all(abs(change["mean"]) <= change["ci95_trainings"] for change in moved.values())
    together = [value for change in moved.values() for value in change["by_seed"].values()]
    interval = rows.student_ci95(together)
    assert interval is not None
    assert abs(np.mean(together)) <= interval < 0.01


def test_the_table_tells_what_was_trained_in_float32_for_want_of_bfloat16() -> None:
    found = rows.read(ROOT / "results/fc100_protonet", "five-shot", "5w5s")
    assert found is not None
    assert found.content["config"]["precision"] == "bfloat16"
    assert "no bfloat16" in found.content["seeds"][0]["trained"][0]["device"]
    line = "Trained in float32, on a device without bfloat16: five-shot (of seed 0, 1, 2)."
    assert line in show.summary([found], {})


def test_the_published_rows() -> None:
    """As in the paper: rows with co-training have half the steps, conditioning its own decay."""
    made = tadam_ablation.chosen_recipe(Choices(published=True))
    assert made.name == "tadam_ablation_published"
    steps = {row.name: row.config.steps for row in made.rows}
    assert steps == dict.fromkeys(("plain", "alpha", "alpha-tc"), 20_000) | dict.fromkeys(
        ("alpha-at", "alpha-at-tc"), 10_000
    )
    for row in made.rows:
        expected = replace(
            PUBLISHED,
            steps=row.config.steps,
            head=fixed_scale(1.0 if row.name == "plain" else 7.5),
            auxiliary="addition" if "at" in row.name.split("-") else "none",
        )
        if "tc" in row.name.split("-"):
            expected = conditioned(expected, PUBLISHED_DECAYS)
        assert row.config == expected
    assert (PUBLISHED.schedule, PUBLISHED.extractor) == ("drops", "resnet12:max_pools=3")
    assert expected.optimizer == "sgd:decay=0.0005,multiplier_decay=0.01"


def test_alpha_is_chosen_on_validation_classes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The published rows as a person would start them, with two scales to choose from."""
    choices = Choices(
        device="cpu",
        data_root=data,
        runs=tmp_path,
        quick=True,
        rows=("alpha",),
        published=True,
        alphas=(1.0, 20.0),
    )
    assert tadam_ablation.main(choices) == 0
    folder = tmp_path / "quick/tadam_ablation_published"
    validated = {v: Run(folder / f"alphas/alpha-{v}").validation_accuracy() for v in (1.0, 20.0)}
    chosen = max(validated, key=lambda value: validated[value])
    assert f"chosen on validation classes: alpha-{chosen}\n" in capsys.readouterr().out
    assert HEADS.read(Run(folder / "alpha-0").config().head).option("scale") == chosen


def test_a_kill_between_the_two_files_of_a_row_loses_nothing(options: Options) -> None:
    """The episodes hold a seed that the JSON does not know of yet."""
    made, only = RECIPES["cifar_fs_protonet"], replace(options, rows=("one-shot",))
    out = results(options, "cifar_fs_protonet")
    assert recipe.run_recipe(made, only) == 0
    first = (out / "one-shot-2w1s.json").read_bytes()
    assert recipe.run_recipe(made, replace(only, seeds=(1,))) == 0
    both = rows.read(out, "one-shot", "2w1s")
    (out / "one-shot-2w1s.json").write_bytes(first)
    found = rows.read(out, "one-shot", "2w1s")
    assert both is not None
    assert found is not None
    assert found.seeds == [0]
    assert np.array_equal(found.accuracies, both.accuracies[:1])
    assert recipe.run_recipe(made, replace(only, seeds=(1,))) == 0
    again = rows.read(out, "one-shot", "2w1s")
    assert again is not None
    assert again.seeds == [0, 1]


def test_figures_of_another_data_set_are_not_mixed(options: Options) -> None:
    made, out = RECIPES["cifar_fs_protonet"], results(options, "cifar_fs_protonet")
    assert recipe.run_recipe(made, replace(options, rows=("one-shot",))) == 0
    row = recipe.shortened(made).rows[0]
    elsewhere = replace(row.config, dataset="fc100")
    with pytest.raises(UsageError, match="is of dataset = 'cifar-fs', this recipe has dataset = "):
        rows.check_same(out, row.name, elsewhere, row.tests[0])
    asked = replace(row.tests[0], dataset="fc100")
    rows.check_same(out, row.name, row.config, asked)
    assert not (out / f"{row.name}-{rows.test_name(asked)}.json").exists(), "a file of its own"


def test_figures_of_two_protocols_are_not_mixed(options: Options) -> None:
    made, out = RECIPES["cifar_fs_protonet"], results(options, "cifar_fs_protonet")
    assert recipe.run_recipe(made, options) == 0
    row = recipe.shortened(made).rows[0]
    asked = replace(row.tests[0], query=4)
    with pytest.raises(UsageError, match="is of test query = 1, this recipe has test query = 4"):
        rows.check_same(out, row.name, row.config, asked)


def test_figures_of_two_variants_are_not_mixed(options: Options) -> None:
    made, out = RECIPES["cifar_fs_protonet"], results(options, "cifar_fs_protonet")
    assert recipe.run_recipe(made, options) == 0
    row, *others = made.rows
    adapted = replace(made, rows=(replace(row, variant="@adabn"), *others))
    assert recipe.run_recipe(adapted, options) == 2
    found = rows.read(out, row.name, "2w1s")
    assert found is not None
    assert found.content["variant"] == ""


@pytest.mark.parametrize("words", [["--seeds"], ["--rows", "x"], ["--alphas"]])
def test_nothing_to_run(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "experiments/tadam_ablation.py", "--quick", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
