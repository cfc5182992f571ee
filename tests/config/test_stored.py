"""Configs of every format read as what they meant."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bringing
import pytest
import torch
from safetensors.torch import load_file

from fewshot_film.config.build import build
from fewshot_film.config.config import FAMILIES, Config, suited
from fewshot_film.config.machine import Machine
from fewshot_film.config.protocol import Question
from fewshot_film.config.stored import FIRST, from_json, from_values, to_json, to_values
from fewshot_film.errors import UsageError
from fewshot_film.model.auxiliary import AUXILIARIES
from fewshot_film.model.objective import OBJECTIVES
from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.parts.head import HEADS
from fewshot_film.parts.optimizer import OPTIMIZERS
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.runs.variants import load

RESULTS = Path(__file__).parents[2] / "results"
OLD_RUN = Path(__file__).parent / "format1"
"""A small run folder that version 0.1.0 left before choices carried their options."""


def configs_in(content: Any) -> Iterator[dict[str, Any]]:
    """Every config in a JSON file, however deep."""
    values = content.values() if isinstance(content, dict) else content
    for value in values if isinstance(content, dict | list) else ():
        if isinstance(content, dict) and value is content.get("config") and isinstance(value, dict):
            yield value
        else:
            yield from configs_in(value)


def stored() -> list[dict[str, Any]]:
    """The distinct configs of all that is under results/."""
    files = sorted(RESULTS.rglob("*.json"))
    found = (c for file in files for c in configs_in(json.loads(file.read_text())))
    return list({json.dumps(config, sort_keys=True): config for config in found}.values())


STORED = stored()


def meaning(config: Config) -> dict[str, Any]:
    """What a Config builds, in the words of format 1; what nothing depends on is left out."""
    extractor, head = EXTRACTORS.read(config.extractor), HEADS.read(config.head)
    optimizer, objective = OPTIMIZERS.read(config.optimizer), OBJECTIVES.read(config.objective)
    learned = ADAPTERS.read(config.adapter).name == "learned"
    said: dict[str, Any] = {
        "conditioning": config.conditioning if learned else "none",
        "extractor": extractor.name,
        "width": extractor.option("width"),
        "pixel_scale": extractor.option("pixel_scale"),
        "normalization": config.normalization,
        "objective": objective.name,
        "optimizer": optimizer.name,
        "weight_decay": optimizer.option("decay"),
    }
    if learned:
        encoder = ENCODERS.read(config.encoder)
        said |= {"encoder": encoder.name, "generator": config.generator}
        said |= {k: optimizer.option(k) for k in ("generator_decay", "multiplier_decay")}
        if encoder.name == "prototype-mean":
            said["encoder_pass"] = encoder.option("statistics")
    if extractor.name != "conv4":
        own = {"resnet12": "max_pools", "wide-resnet12": "drop_side"}[extractor.name]
        pooling = dict(extractor.set_options).get("pooling", "published")
        said |= {own: extractor.option(own), "pooling": pooling}
    if objective.name == "classify":
        said["batch_images"] = objective.option("images")
        return said
    said |= {
        "similarity": head.name,
        "metric_scale": "learned" if head.option("learned") else "fixed",
    }
    said["metric_scale_start"] = head.option("scale")
    auxiliary = AUXILIARIES.read(config.auxiliary)
    said["auxiliary"] = auxiliary.name
    if auxiliary.name != "none":
        said["auxiliary_batch"] = auxiliary.option("images")
    return said


STARTS = {"squared-euclidean": 1.0, "euclidean": 1.0, "cosine": 10.0}
"""Where the metric scale of format 1 started unless it was said."""


def assert_means(values: dict[str, Any], config: Config) -> None:
    """Every field that anything depends on says the same."""
    old = {**FIRST, **values}
    old["metric_scale_start"] = old["metric_scale_start"] or STARTS[old["similarity"]]
    said = meaning(config)
    assert said == {name: old[name] for name in said}
    classifies = old["objective"] == "classify"
    for name in set(values) - set(FIRST) - ({"way", "query_draw"} if classifies else set()):
        assert getattr(config, name) == values[name], name


# --- format 1


def test_there_are_configs_to_read() -> None:
    assert len(STORED) > 90


@pytest.mark.parametrize("values", STORED, ids=range(len(STORED)))
def test_every_stored_config_reads_as_what_it_meant(values: dict[str, Any]) -> None:
    with bringing.known():
        config = from_values(values)
        if values.get("format", 1) == 1:
            assert_means(values, config)
        assert from_json(to_json(config), "again") == config
        assert config != replace(config, seed=config.seed + 1), "configs are told apart at all"


CHOICES: dict[str, list[Any]] = {
    "dataset": ["glyphs", "glyphs-characters", "fc100"],
    "conditioning": ["film", "bias", "scale", "gate", "none"],
    "encoder": ["discriminative", "prototype-mean"],
    "generator": ["shared", "per-site"],
    "extractor": ["conv4", "resnet12", "wide-resnet12"],
    "normalization": ["running", "support", "transductive", "meta", "task-norm-l", "group"],
    "width": [4, 32, 64],
    "pixel_scale": [1.0, 255.0],
    "similarity": list(STARTS),
    "metric_scale": ["learned", "fixed"],
    "metric_scale_start": [None, 7.5],
    "attribute_weight": [0.0, 2.0, 0.5],
    "auxiliary": ["none", "instead", "addition"],
    "auxiliary_batch": [64, 16],
    "optimizer": ["adamw", "sgd"],
    "weight_decay": [0.0, 5e-4],
    "generator_decay": [None, 20.0],
    "multiplier_decay": [0.0, 0.01],
    "clip_norm": [None, 1.0],
    "query_draw": ["balanced", "uniform"],
    "schedule": ["cosine", "drops"],
    "way": [3, 5],
}


def drawn(seed: int) -> dict[str, Any]:
    """A config of format 1 as its own version took it."""
    rng = random.Random(seed)
    old = {name: rng.choice(values) for name, values in CHOICES.items()}
    if old["extractor"] == "resnet12":
        old |= {"max_pools": rng.choice([3, 4]), "pooling": rng.choice(["published", "flat"])}
    if old["extractor"] == "wide-resnet12":
        old |= {"drop_side": rng.choice([None, 3]), "pooling": rng.choice(["published", "average"])}
    if old["encoder"] == "prototype-mean" and old["normalization"] in ("running", "support"):
        old["encoder_pass"] = rng.choice(["counted", "uncounted", "running"])
    if old["conditioning"] == "none" and old["normalization"] == "running" and rng.random() < 0.5:
        old |= {"objective": "classify", "batch_images": rng.choice([16, 128])}
        old |= {"auxiliary": "none", "query_draw": "balanced", "similarity": "squared-euclidean"}
        old |= {"metric_scale": "learned", "metric_scale_start": None}
    return old


@pytest.mark.parametrize("seed", range(60))
def test_any_config_of_format_1_reads_as_what_it_meant(seed: int) -> None:
    old = drawn(seed)
    config = from_values(old)
    assert_means(old, config)
    weight = OBJECTIVES.read(config.objective)
    names = old["dataset"] == "glyphs" and old["encoder"] == "discriminative"
    if names and old["conditioning"] != "none":
        explicit = None if old["attribute_weight"] == 2 else old["attribute_weight"]
        assert weight.option("attribute_weight") == explicit
    elif weight.name == "episodes":
        assert weight.option("attribute_weight") is None


def test_one_config_of_format_1_by_hand() -> None:
    """A row of TADAM's ablation."""
    old = {
        "dataset": "fc100",
        "conditioning": "film",
        "encoder_pass": "running",
        "generator": "per-site",
        "extractor": "resnet12",
        "width": 16,
        "max_pools": 3,
        "pooling": "flat",
        "similarity": "euclidean",
        "metric_scale": "fixed",
        "metric_scale_start": 7.5,
        "weight_decay": 0.05,
        "multiplier_decay": 0.01,
        "auxiliary": "addition",
        "channels": 3,
        "size": 32,
    }
    assert from_values(old) == Config(
        dataset="fc100",
        encoder="prototype-mean:statistics=running",
        generator="per-site",
        extractor="resnet12:width=16,max_pools=3,pooling=flat",
        head="euclidean:scale=7.5,learned=no",
        optimizer="adamw:decay=0.05,multiplier_decay=0.01",
        auxiliary="addition",
        channels=3,
        size=32,
    )


def test_what_meant_nothing_does_not_tell_configs_apart() -> None:
    idle = {"generator": "per-site", "multiplier_decay": 0.01, "encoder_pass": "running"}
    assert from_values({"conditioning": "none", **idle}) == from_values({"conditioning": "none"})


# --- a run folder of format 1


def test_an_old_run_loads_with_its_own_weights() -> None:
    model, tensors = load(OLD_RUN, "cpu"), load_file(OLD_RUN / "best.safetensors")
    state = model.state_dict()
    assert state.keys() == tensors.keys()
    assert all(torch.equal(state[name], value) for name, value in tensors.items())
    assert Run(OLD_RUN).config().generator == "per-site"


def test_an_old_run_answers_as_it_did() -> None:
    """On another processor the last bits differ, and with them an answer of an episode or two."""
    tested = Run(OLD_RUN).test()
    asked = Question(episodes=tested["protocol"]["episodes"])
    report = evaluate_run(OLD_RUN, asked, Machine("cpu", progress=False))
    assert report.evaluation.accuracy == pytest.approx(tested["accuracy"], abs=0.01)
    assert [report.evaluation.groups[g] for g in report.evaluation.group] == tested["group"]


# --- format 2


@pytest.mark.parametrize("name", FAMILIES)
def test_every_choice_survives_being_stored(name: str) -> None:
    for choice in FAMILIES[name].names:
        config = suited(Config(), **{name: choice})  # classify has no use for an adapter
        assert from_json(to_json(config), "file") == config
        assert json.loads(to_json(config))[name] == choice


def test_a_config_builds_the_same_after_being_stored() -> None:
    config = Config(extractor="conv4:width=4", conditioning="gate", generator="per-site")
    a, b = build(config), build(from_json(to_json(config), "file"))
    assert all(torch.equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())


def test_what_a_file_does_not_say_yet_is_at_its_default() -> None:
    """As those that were written before there was a pool."""
    values = to_values(Config(seed=3))
    assert values.pop("pool") is None
    assert from_values(values) == Config(seed=3)
    assert from_values(to_values(Config(pool=50))).pool == 50


# --- bad input


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"format": 3}', "format 3, from a newer fewshot_film; update"),
        ('{"format": 2, "width": 4}', "unknown field 'width'"),
        ('{"colour": 4}', "unknown field 'colour'"),
        ('{"format": 2, "extractor": "conv5"}', "unknown extractor 'conv5'.*did you mean 'conv4'"),
        ('{"conditioning": "film", "width": 0}', "must be at least 1"),
        ("[1]", "not a config this version can read"),
        ("{", "not a config this version can read"),
        ('{"similarity": 3}', "unknown head"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as raised:
        from_json(text, "runs/a/config.json")
    assert str(raised.value).startswith("runs/a/config.json")
