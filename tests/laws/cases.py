"""Cases of the laws: one choice of every family, around a base and drawn from the product."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import combinations, product
from random import Random
from typing import Any, Literal, get_args, get_origin

import making
from laws import networks

from fewshot_film.base.family import Family, options_of
from fewshot_film.config.config import FAMILIES, idle_fields
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.extractor import EXTRACTORS, Extractor


@dataclass(frozen=True)
class Case:
    """A choice of every family that a classifier is made of; the defaults are the base."""

    conditioning: str = "film"
    normalization: str = "running"
    extractor: str = "conv4"
    encoder: str = "discriminative"
    generator: str = "shared"
    adapter: str = "learned"
    head: str = "squared-euclidean"

    @property
    def choices(self) -> frozenset[str]:
        """The choices as axis=choice."""
        return frozenset(f"{axis}={choice}" for axis, choice in vars(self).items())

    def __str__(self) -> str:
        base = vars(BASE)
        return "+".join(c for axis, c in vars(self).items() if c != base[axis]) or "base"

    def model(self, seed: int = 0) -> FewShotClassifier:
        """The small classifier, lived-in and evaluating; a law that changes it takes a copy."""
        return _model(self, seed, self._parts)

    def net(self, channels: int = 1) -> Extractor:
        """Its extractor alone, whose sites can be steered whatever the adapter; likewise."""
        return _net(self, channels, self._parts)

    @property
    def _parts(self) -> tuple[object, ...]:
        """What the choices name at present, since a test may put its own into a family."""
        with networks.known():
            return tuple(FAMILIES[axis].read(choice).part for axis, choice in vars(self).items())


@cache
def _model(case: Case, seed: int, parts: tuple[object, ...]) -> FewShotClassifier:
    del parts
    with networks.known():
        return making.classifier(seed=seed, **vars(case))


@cache
def _net(case: Case, channels: int, parts: tuple[object, ...]) -> Extractor:
    del parts
    chosen = (case.extractor, case.conditioning, case.normalization)
    with networks.known():
        return making.extractor(*chosen, channels=channels)


SOME = 5000
"""Cases of a product that are looked at."""
AXES = tuple(field.name for field in fields(Case))
BASE = Case()


def _lawful() -> dict[str, Family[Any]]:
    """axis -> the parts that the laws are about.

    Of the extractors those that anyone can make, and conditioned networks of every kind.
    """
    own = {name: EXTRACTORS.parts[name] for name in making.OWN_EXTRACTORS}
    made: Family[Any] = Family("extractor", EXTRACTORS.given, **own, **networks.NETWORKS)
    return {axis: FAMILIES[axis] for axis in AXES} | {"extractor": made}


LAWFUL = _lawful()

REFUSED = {
    **{
        frozenset({f"adapter={name}", "conditioning=none"}): "no site takes parameters"
        for name in ("learned", "safe", "constant", "gradient")
    },
    **{
        frozenset({"adapter=adaptive-batch-norm", f"normalization={name}"}): "it is no batch norm "
        "with running statistics"
        for name in FAMILIES["normalization"].names
        if name != "running"
    },
    **{
        frozenset({"adapter=adaptive-batch-norm", f"extractor={name}"}): "it has other norms"
        for name in networks.NETWORKS
        if name not in networks.WITH_BATCH_NORMS
    },
    frozenset({"adapter=adaptive-batch-norm:statistics=domain"}): "no domain is given",
    frozenset({"adapter=adaptive-batch-norm:film=own"}): "no trained run is given",
    frozenset({"adapter=gradient:start=own"}): "no trained run is given",
}
"""Choices that are refused together with a UsageError, and why."""


def varied(axes: Sequence[str]) -> list[Case]:
    """The base, and every part of these axes once, with the base's in the other places."""
    cases = [BASE, *(replace(BASE, **{a: name}) for a in axes for name in LAWFUL[a].names)]
    return list(dict.fromkeys(case for case in cases if possible(case, axes)))


def worded(axes: Sequence[str]) -> list[Case]:
    """Every word that an option may be, but its default, with all else as in the base."""
    words = ((axis, word) for axis in axes for word in spelled(axis))
    return [case for a, word in words if possible(case := replace(BASE, **{a: word}), axes)]


def spelled(axis: str) -> Iterator[str]:
    """part:option=word, for options that are yes or no, or one of some words."""
    for name in LAWFUL[axis].names:
        for option, (default, hint) in options_of(LAWFUL[axis].parts[name]).items():
            for word in (False, True) if hint is bool else literals(hint):
                if word != default:
                    yield str(LAWFUL[axis].choose(name, {option: word}))


def literals(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


@cache
def drawn(axes: tuple[str, ...]) -> list[Case]:
    """Cases of the product of these axes that hold every pair of choices, by seeded chance.

    Those that show the most new pairs come first; the product itself is many times as long, so they
    are taken from some of it, and from the pairs alone.
    """
    names, rng = {axis: LAWFUL[axis].names for axis in axes}, Random(0)
    some = [{a: rng.choice(names[a]) for a in axes} for _ in range(SOME)]
    alone = [
        dict(zip(two, pair, strict=True))
        for two in combinations(axes, 2)
        for pair in product(*(names[a] for a in two))
    ]
    cases = dict.fromkeys(settled(replace(BASE, **chosen)) for chosen in [*some, *alone])
    pairs = {
        case: {frozenset(pair) for pair in combinations(sorted(case.choices), 2)}
        for case in cases
        if possible(case, axes)
    }
    found, seen = [], set[frozenset[str]]()
    for least in (16, 8, 4, 2, 1):
        for case, shown in pairs.items():
            if len(shown - seen) >= least:
                found.append(case)
                seen |= shown
    return found


def settled(case: Case) -> Case:
    """The case with the base's choices wherever its adapter or extractor has no use for any."""
    idle = _idle(case.adapter, case.extractor)
    return replace(case, **{axis: vars(BASE)[axis] for axis in idle})


@cache
def _idle(adapter: str, extractor: str) -> frozenset[str]:
    with networks.known():
        return frozenset(AXES).intersection(idle_fields("episodes", adapter, extractor))


def possible(case: Case, axes: Sequence[str]) -> bool:
    """Whether it is not refused; an extractor alone takes what an adapter would refuse."""
    return "adapter" not in axes or not any(refused <= case.choices for refused in REFUSED)
