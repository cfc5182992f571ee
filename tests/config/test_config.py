import json
from dataclasses import asdict, fields, replace
from itertools import product
from typing import Any, get_args, get_type_hints

import making
import pytest
import torch

from fewshot_film.config.build import AUXILIARIES, CONDITIONINGS, ENCODER_PASSES, EXTRACTORS, GENERATORS, NORMALIZATIONS, POOLINGS, SIMILARITIES, build, build_objective
from fewshot_film.config.catalog import ENTRIES
from fewshot_film.config.config import Config
from fewshot_film.config.catalog import default_config
from fewshot_film.config.stored import from_json, to_json
from fewshot_film.errors import UsageError
from fewshot_film.model.objective import AttributeLoss, QueryLoss
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.extractor import DropBlock
from fewshot_film.runs.learner import Learner
from fewshot_film.parts.schedule import SCHEDULES
from fewshot_film.runs.step import step
from fewshot_film.runs.training_episodes import AUGMENTATIONS

TINY = Config(dataset="omniglot", size=making.SIZE, width=4, way=3, tasks=3, steps=10)


def choices(name: str) -> tuple[Any, ...]:
    return get_args(get_type_hints(Config)[name])


def test_every_choice_has_its_part() -> None:
    assert set(choices("conditioning")) == {*CONDITIONINGS, "none"}
    assert set(choices("extractor")) == set(EXTRACTORS)
    assert set(choices("similarity")) == set(SIMILARITIES)
    assert set(choices("generator")) == set(GENERATORS)
    assert set(choices("normalization")) == set(NORMALIZATIONS)
    assert set(choices("encoder_pass")) == set(ENCODER_PASSES)
    assert set(choices("augmentation")) == {*AUGMENTATIONS, "none"}
    assert set(choices("auxiliary")) == {*AUXILIARIES, "none"}
    assert set(choices("schedule")) == set(SCHEDULES)
    assert set(choices("pooling")) == {*POOLINGS, "published"}


@pytest.mark.parametrize(
    "names",
    list(product(*map(choices, ("conditioning", "encoder", "extractor", "similarity")))),
    ids="-".join,
)
def test_every_named_choice_takes_a_step(names: tuple[str, str, str, str]) -> None:
    conditioning, encoder, extractor, similarity = names
    made: dict[str, Any] = {"conditioning": conditioning, "encoder": encoder}
    config = replace(TINY, **made, extractor=extractor, similarity=similarity)  # type: ignore[arg-type]
    learner = Learner(config, torch.device("cpu"))
    before = {k: v.clone() for k, v in learner.classifier.named_parameters()}
    for _ in range(2):
        assert step(learner, making.episode(), config).loss.isfinite()
    moved = {k for k, v in learner.classifier.named_parameters() if not torch.equal(v, before[k])}
    assert "head.log_scale" in moved
    assert any(k.startswith("features.extractor") for k in moved)
    adapted = any(k.startswith("features.adapter") for k in moved)
    assert adapted == (conditioning != "none")


@pytest.mark.parametrize(("size", "given", "side"), [(32, None, 2), (84, None, 5), (84, 3, 3)])
def test_the_squares_that_are_dropped_suit_the_images(size: int, given: int, side: int) -> None:
    config = replace(TINY, extractor="wide-resnet12", size=size, drop_side=given)
    drops = [m.size for m in build(config).modules() if isinstance(m, DropBlock)]
    assert drops == [1, 1, side, side]


@pytest.mark.parametrize(
    ("extractor", "pooling", "features"),
    [
        ("resnet12", "published", 32),
        ("resnet12", "flat", 32 * 4),
        ("wide-resnet12", "published", 40 * 4),
        ("wide-resnet12", "average", 40),
    ],
)
def test_maps_become_features_as_asked(extractor: Any, pooling: Any, features: int) -> None:
    config = replace(TINY, extractor=extractor, pooling=pooling, size=32)
    assert build(config).features.extractor.feature_dim(1, 32) == features


@pytest.mark.parametrize(
    ("name", "value", "owners"),
    [
        ("max_pools", 3, "resnet12"),
        ("drop_side", 3, "wide-resnet12"),
        ("pooling", "flat", "resnet12 and wide-resnet12"),
    ],
)
def test_what_the_extractor_has_no_use_for_is_refused(name: str, value: Any, owners: str) -> None:
    flag = name.replace("_", "-")
    with pytest.raises(UsageError, match=f"--{flag} is of {owners}, --extractor is conv4"):
        replace(TINY, **{name: value})


@pytest.mark.parametrize("dataset", ENTRIES)
def test_the_defaults_of_every_data_set(dataset: str) -> None:
    config = default_config(dataset)
    assert config.dataset == dataset
    assert from_json(to_json(config), "here") == config
    source = ENTRIES[dataset].source
    assert config.channels == source.channels
    assert config.size <= source.size
    assert build(config).features.extractor.feature_dim(config.channels, config.size) > 0


def test_the_defaults_of_a_folder() -> None:
    config = default_config(data="some/folder")
    assert (config.data, config.channels, config.size) == ("some/folder", 3, 84)
    assert from_json(to_json(config), "here") == config


def test_json_keeps_every_field() -> None:
    config = replace(TINY, data="x", seed=2**40, learning_rate=1.25e-7, weight_decay=0.5)
    assert json.loads(to_json(config)) == asdict(config)
    assert from_json(to_json(config), "here") == config


def test_weights_are_a_function_of_the_seed() -> None:
    state = torch.get_rng_state()
    a, b, other = (build(replace(TINY, seed=s)).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not any(torch.equal(a[key], other[key]) for key in a if key.endswith("conv.weight"))
    assert torch.equal(torch.get_rng_state(), state)


def test_runs_that_differ_in_the_adapter_share_the_extractor_s_first_weights() -> None:
    film, none = build(TINY).state_dict(), build(replace(TINY, conditioning="none")).state_dict()
    keys = [key for key in film if key.startswith("features.extractor")]
    assert keys
    assert all(torch.equal(film[key], none[key]) for key in keys)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"dataset": "glyphs", "encoder": "discriminative"}, AttributeLoss),
        ({"dataset": "glyphs", "encoder": "discriminative", "attribute_weight": 0.0}, QueryLoss),
        ({"dataset": "glyphs", "encoder": "discriminative", "data": "folder"}, QueryLoss),
        ({"dataset": "glyphs", "conditioning": "none"}, QueryLoss),
        ({"dataset": "glyphs", "encoder": "prototype-mean"}, QueryLoss),
        ({"dataset": "omniglot", "encoder": "discriminative"}, QueryLoss),
    ],
)
def test_the_attribute_loss_is_for_tasks_that_ask(changes: dict[str, Any], kind: type) -> None:
    config = replace(TINY, **changes)
    assert type(build_objective(config, build(config))) is kind


def test_an_error_names_its_origin() -> None:
    with pytest.raises(UsageError, match=r"^here is not a config .*unknown field 'wayy'"):
        from_json('{"wayy": 3}', "here")
    with pytest.raises(UsageError, match=r"^here is not a config"):
        from_json("{", "here")


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_a_config_of_a_version_without_the_field_has_its_default(name: str) -> None:
    values = json.loads(to_json(replace(TINY, seed=3)))
    del values[name]
    default = {name: getattr(Config(), name)}
    assert from_json(json.dumps(values), "here") == replace(TINY, **{"seed": 3, **default})


def test_plain_classification_has_no_support_sets() -> None:
    plain: dict[str, Any] = {"objective": "classify", "conditioning": "none"}
    for normalization in ("running", "support", "layer", "instance", "group"):
        Config(**plain, normalization=normalization)
    for changes, says in (
        ({"conditioning": "film"}, "has no tasks for --conditioning film to follow; pass --cond"),
        ({"conditioning": "gate"}, "has no tasks for --conditioning gate to follow"),
        ({"auxiliary": "instead"}, "is what --auxiliary instead adds; leave it out"),
        ({"auxiliary": "addition"}, "is what --auxiliary addition adds; leave it out"),
        ({"normalization": "meta"}, "has no support sets for --normalization meta; pass running"),
        ({"normalization": "transductive"}, "no support sets for --normalization transductive"),
        ({"normalization": "task-norm-i"}, "no support sets for --normalization task-norm-i"),
        ({"normalization": "task-norm-l"}, "support, layer, instance or group"),
    ):
        with pytest.raises(UsageError, match=rf"^--objective classify .*{says}"):
            Config(**{**plain, **changes})


def test_plain_classification_is_of_all_classes() -> None:
    config = replace(default_config("pacs"), objective="classify", conditioning="none", width=4)
    model = build(config)
    assert isinstance(model, SupervisedClassifier)
    assert model.linear.out_features == 7
    assert type(build_objective(config, model)) is QueryLoss
    for other in ("glyphs-renderings", "glyphs-new-typefaces"):  # their classes are new as well
        with pytest.raises(UsageError, match=f"^--objective classify tests the classes .*{other}"):
            build(replace(default_config(other), objective="classify", conditioning="none"))
    with pytest.raises(UsageError, match=r"^--objective classify tests the classes .*, omniglot"):
        build(replace(config, dataset="omniglot", channels=1, size=28))


@pytest.mark.parametrize(
    ("name", "value"),
    [("query_draw", "uniform"), ("similarity", "cosine"), ("metric_scale_start", 7.5)],
)
def test_what_classification_would_ignore_is_refused(name: str, value: object) -> None:
    config = replace(default_config("digits"), objective="classify", conditioning="none")
    with pytest.raises(UsageError, match=f"no use for --{name.replace('_', '-')}; leave"):
        replace(config, **{name: value})  # type: ignore[arg-type]


def test_images_of_a_batch_without_batches() -> None:
    with pytest.raises(UsageError, match="--batch-images is of --objective classify"):
        Config(batch_images=64)
