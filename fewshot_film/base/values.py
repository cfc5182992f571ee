"""Values of a type and in their bounds, whoever wrote them: a person, a program or a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from fewshot_film.errors import UsageError

Number: TypeAlias = int | float
"""A bound and what is held against it: either may be whole."""

YES = "yes"
"""What an option that is named without a value is set to."""
WORDS = {YES: True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class AtLeast:
    """value >= least."""

    least: Number

    def check(self, name: str, value: Number) -> None:
        if not self.least <= value < math.inf:
            raise UsageError(f"`{name}` is {value}; it must be at least {self.least}")


@dataclass(frozen=True)
class Above:
    """value > bound, and finite."""

    bound: Number

    def check(self, name: str, value: Number) -> None:
        if not self.bound < value < math.inf:
            raise UsageError(f"`{name}` is {value}; it must be above {self.bound}")


@dataclass(frozen=True)
class AtMost:
    """value <= most."""

    most: Number

    def check(self, name: str, value: Number) -> None:
        if not value <= self.most:
            raise UsageError(f"`{name}` is {value}; it must be at most {self.most}")


@dataclass(frozen=True)
class OneOf:
    """One of a few numbers, each with its meaning."""

    meanings: tuple[tuple[int, str], ...]

    def check(self, name: str, value: Number) -> None:
        if value not in dict(self.meanings):
            known = " or ".join(f"{number} ({meaning})" for number, meaning in self.meanings)
            raise UsageError(f"`{name}` is {value}; pass {known}")


@dataclass(frozen=True)
class First:
    """The option that may come first, without its name: `timm:resnet18`."""


Bound: TypeAlias = AtLeast | Above | AtMost | OneOf
"""What may stand beside a number's type."""


def checked(name: str, value: Any, hint: Any) -> Any:
    """The value, if it is of the type and within the bounds that its annotation names.

    A whole number is taken for a float. None passes where the type admits it.
    """
    kind, bounds = _bare(hint)
    if value is None and NoneType in get_args(kind):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and float in _kinds(kind):
        value = float(value)
    if not _fits(value, kind):
        raise UsageError(f"`{name}` is {value!r}; it must be {_wanted(kind)}")
    for bound in bounds:
        bound.check(name, value)
    return value


def read(name: str, text: str, hint: Any) -> Any:
    """A word of the command line or of a file -> the value that its annotation asks for."""
    kinds = _kinds(_bare(hint)[0])
    if text == "none" and NoneType in kinds:
        return checked(name, None, hint)
    if bool in kinds:
        return checked(name, WORDS.get(text, text), hint)
    for number in (int, float):
        if number in kinds:
            try:
                return checked(name, number(text), hint)
            except ValueError:
                continue
    return checked(name, text, hint)


def written(value: Any) -> str:
    """The word that `read` reads as this value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation -> its type, and the bounds that stand beside it, or inside its union."""
    if get_origin(hint) in (Union, UnionType):
        kinds, inside = zip(*map(_bare, get_args(hint)), strict=True)
        return reduce(or_, kinds), sum(inside, ())
    if get_origin(hint) is not Annotated:
        return hint, ()
    kind, *beside = get_args(hint)
    return kind, tuple(bound for bound in beside if isinstance(bound, Bound))


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The types that a union is of, or the type alone."""
    return (kind,) if get_origin(kind) is Literal else get_args(kind) or (kind,)


def _fits(value: Any, kind: Any) -> bool:
    return any(
        value in get_args(k)
        if get_origin(k) is Literal
        else isinstance(value, k) and (k is bool or not isinstance(value, bool))
        for k in _kinds(kind)
    )


def _wanted(kind: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "yes or no"}
    words = (
        map(repr, get_args(k)) if get_origin(k) is Literal else [names.get(k, "none")]
        for k in _kinds(kind)
    )
    return " or ".join(word for some in words for word in some)
