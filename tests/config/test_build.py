from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import making
import pytest
import torch
from running import picture_folder

from fewshot_film.config.build import build, build_objective
from fewshot_film.config.catalog import ENTRIES, default_config
from fewshot_film.config.config import FAMILIES, Config, suited
from fewshot_film.config.problem import problem_of
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.model.naming import AttributeLoss
from fewshot_film.model.objective import Objective, QueryLoss
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.extractor import DropBlock
from fewshot_film.parts.generator import GENERATORS
from fewshot_film.parts.head import HEADS
from fewshot_film.parts.normalization import NORMALIZATIONS
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.step import Step

CPU = torch.device("cpu")
TINY = Config(
    dataset="omniglot", size=making.SIZE, extractor="conv4:width=4", way=3, tasks=3, steps=10
)
CONDITIONINGS = [name for name in FAMILIES["conditioning"].names if name != "none"]
LEARNING = ("learned", "safe", "constant")
METHODS: list[dict[str, str]] = [
    *(
        {"conditioning": conditioning, "encoder": encoder}
        for conditioning, encoder in product(CONDITIONINGS, ENCODERS.names)
    ),
    *({"adapter": name} for name in ADAPTERS.names if name != "learned"),
]


def learner_of(config: Config) -> Learner:
    return Learner(config, problem_of(config, Path()), CPU)


def objective_of(config: Config) -> Objective:
    problem = problem_of(config, Path())
    return build_objective(config, build(config, 7), problem)


PAIRS = [
    (method, extractor, HEADS.names[(i + j) % len(HEADS.names)])
    for i, method in enumerate(METHODS)
    for j, extractor in enumerate(making.OWN_EXTRACTORS)
]
"""Every method with every extractor, and every extractor with every head."""


@pytest.mark.parametrize(("method", "extractor", "head"), PAIRS, ids=str)
def test_every_named_choice_takes_a_step(method: dict[str, Any], extractor: str, head: str) -> None:
    config = suited(TINY, **method, extractor=f"{extractor}:width=4", head=head)
    learner, step = learner_of(config), Step(config, CPU)
    before = {k: v.clone() for k, v in learner.classifier.named_parameters()}
    for _ in range(2):
        assert step(learner, making.episode()).loss.isfinite()
    moved = {k for k, v in learner.classifier.named_parameters() if not torch.equal(v, before[k])}
    assert "head.log_scale" in moved
    assert any(k.startswith("features.extractor") for k in moved)
    adapted = any(k.startswith("features.adapter") for k in moved)
    assert adapted == (config.adapter in LEARNING)


# --- options that meet other fields


@pytest.mark.parametrize(("size", "given", "side"), [(32, "", 2), (84, "", 5), (84, "3", 3)])
def test_the_squares_that_are_dropped_suit_the_images(size: int, given: str, side: int) -> None:
    option = f",drop_side={given}" if given else ""
    config = replace(TINY, extractor=f"wide-resnet12:width=4{option}", size=size)
    assert [m.size for m in build(config).modules() if isinstance(m, DropBlock)] == [
        1,
        1,
        side,
        side,
    ]


@pytest.mark.parametrize(
    ("extractor", "features"),
    [
        ("resnet12:width=4", 32),
        ("resnet12:width=4,pooling=flat", 32 * 4),
        ("resnet12:width=4,pooling=flat,max_pools=3", 32 * 16),
        ("wide-resnet12:width=4", 40 * 4),
        ("wide-resnet12:width=4,pooling=average", 40),
        ("conv4:width=4", 4 * 4),
    ],
)
def test_maps_become_features_as_asked(extractor: str, features: int) -> None:
    config = replace(TINY, extractor=extractor, size=32)
    assert build(config).features.extractor.feature_dim(1, 32) == features


@pytest.mark.parametrize("name", NORMALIZATIONS.names)
@pytest.mark.parametrize("statistics", ["uncounted", "running"])
def test_an_encoder_steers_the_running_statistics_that_there_are(
    statistics: str, name: str
) -> None:
    config = replace(TINY, normalization=name, encoder=f"prototype-mean:statistics={statistics}")
    if name in ("running", "support"):
        assert build(config)
        return
    with pytest.raises(
        UsageError,
        match=rf"^`encoder` prototype-mean:statistics={statistics} is for running statistics, "
        f"`normalization` {name} has none; leave its statistics out$",
    ):
        build(config)


@pytest.mark.parametrize("adapter", ["none", "adaptive-batch-norm"])
@pytest.mark.parametrize("decay", ["generator_decay=0.0", "multiplier_decay=3"])
def test_a_generator_s_decay_needs_a_generator(decay: str, adapter: str) -> None:
    config = replace(TINY, optimizer=f"adamw:{decay}")
    assert learner_of(config)
    with pytest.raises(UsageError, match=r"generator_decay and multiplier_decay are of a generat"):
        learner_of(replace(config, adapter=adapter))


@pytest.mark.parametrize("generator", GENERATORS.names)
def test_a_generator_needs_sites_to_steer(generator: str) -> None:
    with pytest.raises(UsageError, match=r"pass another `conditioning`, an `extractor` with sites"):
        build(replace(TINY, conditioning="none", generator=generator))


@pytest.mark.parametrize("option", ["statistics=domain", "film=own"])
def test_what_only_a_trained_run_has_is_not_trained_with(option: str) -> None:
    with pytest.raises(UsageError, match=r"trained run.* RUN@adabn-domain or RUN@own\+adabn"):
        build(replace(TINY, adapter=f"adaptive-batch-norm:{option}"))


# --- weights


@pytest.mark.parametrize("dataset", ENTRIES)
def test_the_defaults_of_every_data_set_are_built(dataset: str) -> None:
    config = default_config(dataset)
    assert build(config).features.extractor.feature_dim(config.channels, config.size) > 0


def test_weights_are_a_function_of_the_seed() -> None:
    state = torch.get_rng_state()
    a, b, other = (build(replace(TINY, seed=s)).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not any(torch.equal(a[key], other[key]) for key in a if key.endswith("conv.weight"))
    assert torch.equal(torch.get_rng_state(), state)


def test_runs_that_differ_in_the_adapter_share_the_extractor_s_first_weights() -> None:
    film, none = build(TINY).state_dict(), build(replace(TINY, adapter="none")).state_dict()
    keys = [key for key in film if key.startswith("features.extractor")]
    assert keys
    assert all(torch.equal(film[key], none[key]) for key in keys)


# --- objectives

ASKING: dict[str, Any] = {"dataset": "glyphs", "encoder": "discriminative"}


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        (ASKING, 2.0),
        (ASKING | {"dataset": "glyphs-attributes"}, 2.0),
        (ASKING | {"objective": "episodes:attribute_weight=0.5"}, 0.5),
        (ASKING | {"encoder": "prototype-mean", "objective": "episodes:attribute_weight=3"}, 3.0),
        (ASKING | {"objective": "episodes:attribute_weight=0"}, None),
        (ASKING | {"dataset": "glyphs-characters"}, None),
        ({"dataset": "glyphs", "adapter": "none"}, None),
        ({"dataset": "glyphs", "adapter": "constant"}, None),
        (ASKING | {"adapter": "safe"}, 2.0),
        ({"dataset": "glyphs", "encoder": "prototype-mean"}, None),
        ({"dataset": "omniglot", "encoder": "discriminative"}, None),
    ],
    ids=str,
)
def test_the_attribute_loss_is_for_tasks_that_ask(
    changes: dict[str, Any], weight: float | None
) -> None:
    """And by default for an encoder that tells labellings apart."""
    made = objective_of(replace(TINY, **changes))
    assert isinstance(made, QueryLoss if weight is None else AttributeLoss)
    assert weight is None or getattr(made, "weight", None) == weight


def test_a_folder_asks_for_no_attributes(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    config = replace(TINY, **ASKING | {"data": str(folder)})
    assert isinstance(objective_of(config), QueryLoss)
    with pytest.raises(UsageError, match=r"and .*pictures asks for none; leave the weight out$"):
        objective_of(replace(config, objective="episodes:attribute_weight=1"))


def test_an_attribute_that_nobody_asks_for_or_learns_has_no_weight() -> None:
    weighed = replace(TINY, objective="episodes:attribute_weight=9")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"dataset": "omniglot"}, "omniglot asks for none"),
        ({"dataset": "glyphs", "adapter": "none"}, "no encoder learns here"),
    )
    for changes, why in cases:
        with pytest.raises(
            UsageError,
            match=rf"^`objective` episodes:attribute_weight=9.0 is to name .*, and {why}; leave",
        ):
            objective_of(replace(weighed, **changes))


# --- plain classification


@pytest.mark.parametrize("name", NORMALIZATIONS.names)
def test_plain_classification_has_no_support_sets(name: str) -> None:
    config = suited(TINY, objective="classify", normalization=name)
    if name in ("running", "support", "layer", "instance", "group"):
        assert build(config, 5)
        return
    with pytest.raises(
        UsageError,
        match=rf"^objective classify has no support sets for `normalization` {name}; pass one .*, "
        "such as running, support, layer, instance or group$",
    ):
        build(config, 5)


def test_plain_classification_is_of_all_classes() -> None:
    config = default_config("pacs", objective="classify", extractor="conv4:width=4")
    learner = learner_of(config)
    assert isinstance(learner.classifier, SupervisedClassifier)
    assert learner.classifier.linear.out_features == 7
    assert isinstance(learner.objective, QueryLoss)
    with pytest.raises(FewShotError, match=r"^objective classify learns a fixed number of classes"):
        build(config)
