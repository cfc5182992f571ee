"""What is asked for changes what is built, or is refused by name: alone, and in pairs."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.base.family import options_of
from fewshot_film.base.values import written
from fewshot_film.config.catalog import ENTRIES
from fewshot_film.config.config import FAMILIES, Config, suited
from fewshot_film.config.problem import Problem
from fewshot_film.config.protocol import Protocol
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import CONDITIONINGS, FiLM
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.step import learning_rate
from fewshot_film.runs.training_episodes import TrainingEpisodes

CPU = torch.device("cpu")
TINY = Config(way=3, test_way=3, tasks=2, size=16, extractor="conv4:width=4")
BASES = {
    "tasks": replace(TINY, shot=2, query=2, encoder="discriminative:width=4,embedding_dim=8"),
    "classes": suited(replace(TINY, way=5), objective="classify:images=8"),
    "mean": replace(TINY, extractor="resnet12:width=4"),
    "no adapter": suited(TINY, adapter="none", extractor="wide-resnet12:width=4"),
}
"""Trainings of different kinds, each with little to compute."""

SLOW = ("classes", "mean", "no adapter")
"""Bases that not every run of the fast tests needs."""

ELSEWHERE = {
    "dataset": "the problem is made of it",
    "data": "the problem is made of it",
    "train_domains": "the problem is made of it, and refuses it where there are none",
    "test_domains": "the problem is made of it, and refuses it where there are none",
    "channels": "the problem checks it",
    "validate_every": "read by the loop at every step",
    "validation_episodes": "read by every validation",
    "precision": "read by every step, and then the device has its say",
    "clip_norm": "read by every step",
}
"""Fields whose effect other tests show, and how they come to have one."""

NUMBERS = {"way": 4, "test_way": 4, "shot": 3, "query": 3, "tasks": 3, "steps": 40, "seed": 1}
NUMBERS |= {"test_episodes": 7, "size": 20, "pool": 3}
WORDS = {
    "statistics": ["uncounted", "running", "support+query"],
    "pooling": ["average", "flat"],
    "film": ["own"],
    "start": ["own"],
    "one_shot": ["start"],
}


def other_values(name: str, default: Any, hint: Any) -> list[Any]:
    """Values of an option that differ from its default."""
    if name in WORDS:
        known = set(get_args(hint))
        return [word for word in WORDS[name] if word in known]
    if isinstance(default, bool):
        return [not default]
    usual: dict[str, list[Any]] = {
        "max_pools": [3],
        "groups": [2],
        "momentum": [0.5],
        "drop": [0.3],
        "drop_side": [3],
        "neck": [8],
        "name": ["resnet34"],
        "path": ["another.py:make"],
        "sites": ["all"],
        "features": ["stages"],
    }
    number = 3 if isinstance(default, int) else 0.25
    return usual.get(name, [number])


def changes() -> Iterator[tuple[str, Any]]:
    """(field, value) for every field, every part of every family and every option of every part."""
    yield from NUMBERS.items()
    yield "query_draw", "uniform"
    yield "learning_rate", 0.5
    for field, family in FAMILIES.items():
        for name, part in family.parts.items():
            yield field, name
            for option, (default, hint) in options_of(part).items():
                for value in other_values(option, default, hint):
                    yield field, f"{name}:{option}={written(value)}"


CHANGES = list(changes())


def test_every_field_and_every_option_is_there() -> None:
    fields = {field for field, _ in CHANGES}
    assert fields | set(ELSEWHERE) == set(Config.__dataclass_fields__)
    assert not fields & set(ELSEWHERE)
    text = " ".join(str(value) for _, value in CHANGES)
    parts = [part for family in FAMILIES.values() for part in family.parts.values()]
    assert all(f"{option}=" in text for part in parts for option in options_of(part))


def problem(config: Config) -> Problem:
    """Six classes of twelve images, whose tasks ask for attributes; or the same in two domains."""
    entry, side = ENTRIES["glyphs"], config.size
    if config.classifies:
        source = replace(entry.source, domains=("domain0", "domain1"))
        source = replace(source, classes=dict.fromkeys(SPLITS, 6))
        entry = replace(entry, source=source)
    images: dict[tuple[str, tuple[str, ...], int], ImageSet] = {}
    made = Problem("small", entry, side, 1, Path(), loaded=images, train_domains=None)
    if config.classifies:
        made = replace(made, train_domains="domain0")
    for split in SPLITS:
        data = making.image_set([12] * 6, size=side)
        images[split, made.domains(split), side] = data
    return made


@cache
def built(config: Config) -> str:
    """A digest of all that a training is made of: weights, settings, episodes, rates, protocol."""
    about = problem(config)
    learner = Learner(config, about, CPU)
    episodes = TrainingEpisodes(config, about, about.images("train"))
    digest = hashlib.sha256()
    for part in described(learner.modules):
        digest.update(repr(part).encode())
    for name, tensor in learner.modules.state_dict().items():
        add(digest, name, tensor)
    digest.update(repr([_group(group) for group in learner.optimizer.param_groups]).encode())
    digest.update(repr([learning_rate(config, step) for step in (0, 5, 30)]).encode())
    for step in (0, 1, config.steps - 1):
        episode = episodes.at(step)
        add(digest, "query", episode.query.images)
        add(digest, "support", episode.support.images)
        add(digest, "auxiliary", episode.auxiliary.images if episode.auxiliary else torch.zeros(1))
    digest.update(str(Protocol.of(config)).encode())
    return digest.hexdigest()


def described(modules: nn.Module) -> Iterator[tuple[Any, ...]]:
    """Every module's type and its plain settings; what is learned is told from what is not."""
    for name, module in modules.named_modules():
        plain = {k: v for k, v in vars(module).items() if isinstance(v, int | float | str | None)}
        calls = {k: v.__name__ for k, v in vars(module).items() if hasattr(v, "__name__")}
        frozen = [
            p for p, value in module.named_parameters(recurse=False) if not value.requires_grad
        ]
        yield name, type(module).__name__, plain, calls, frozen


def _group(group: dict[str, Any]) -> tuple[Any, ...]:
    return len(group["params"]), group["weight_decay"], group.get("momentum")


def add(digest: Any, name: str, tensor: Tensor) -> None:
    digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
    digest.update(tensor.contiguous().numpy().tobytes())


def refusal(config: Config, field: str, value: Any) -> tuple[Config | None, str]:
    """The config with one change, built; or, without it, why it was refused."""
    try:
        changed = suited(config, **{field: value})
        return changed, built(changed)
    except UsageError as error:
        return None, str(error)


def named_in(message: str, field: str, value: Any) -> bool:
    """Whether a refusal says what it is about: the field, the part, or the option."""
    part, _, options = str(value).partition(":")
    words = [field, part, *(word.partition("=")[0] for word in options.split(",") if word)]
    return any(word and word in message for word in words)


def is_default(config: Config, field: str, value: Any) -> bool:
    """Whether a change is none: it is there already, or what stands where nothing depends on it."""
    text = str(FAMILIES[field].read(value)) if field in FAMILIES else value
    return bool(getattr(config, field) == text or getattr(Config, field) == text)


def check(config: Config, field: str, value: Any) -> None:
    """The change is built, or refused by name."""
    changed, found = refusal(config, field, value)
    if changed is None:
        assert named_in(found, field, value), found
    else:
        assert changed != config
        assert found != built(config)


@pytest.mark.parametrize(
    "base", ["tasks", *(pytest.param(b, marks=pytest.mark.slow) for b in SLOW)]
)
@pytest.mark.parametrize(("field", "value"), CHANGES, ids=str)
def test_alone(base: str, field: str, value: Any) -> None:
    if not is_default(BASES[base], field, value):
        check(BASES[base], field, value)


@pytest.mark.parametrize("seed", range(25))
def test_in_pairs(seed: int) -> None:
    """The second change counts under the first, too."""
    rng = random.Random(seed)
    config = BASES[rng.choice(["tasks", "classes"])]
    first, second = rng.sample(CHANGES, 2)
    under, _ = refusal(config, *first)
    if under is not None and first[0] != second[0] and not is_default(under, *second):
        check(under, *second)


def test_an_option_that_is_ignored_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(channels: int, *, loudness: int = 1) -> FiLM:
        del loudness
        return FiLM(channels)

    monkeypatch.setitem(CONDITIONINGS.parts, "deaf", deaf)
    config = suited(BASES["tasks"], conditioning="deaf")
    with pytest.raises(AssertionError):
        check(config, "conditioning", "deaf:loudness=2")
