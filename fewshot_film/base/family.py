"""Families of interchangeable parts, and a choice of one with its options: `low-rank:rank=2`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Generic, TypeVar, final, get_args, get_type_hints

from fewshot_film.base.values import YES, First, checked, read, written
from fewshot_film.errors import UsageError

Made = TypeVar("Made", covariant=True)
Part = Callable[..., Made]
"""What makes something: its positional parameters are what it is given, by name; its keyword-only
ones are its options, each with a type and a default."""


@final
class Family(Generic[Made]):
    """name -> part: the one place where a part's name stands.

    `given` names what the builder gives to the parts of this family; a part takes what it needs of
    that. `low_rank=LowRank` is called low-rank everywhere else.
    """

    def __init__(self, kind: str, given: Sequence[str], **parts: Part[Made]) -> None:
        self.kind, self.given = kind, tuple(given)
        self.parts: dict[str, Part[Made]] = {}
        for name, part in parts.items():
            self.parts[name.replace("_", "-")] = part

    def read(self, text: str) -> Choice[Made]:
        """`name` or `name:option=value,option=value` -> the choice; an error names the nearest."""
        name, _, words = text.partition(":")
        if name not in self.parts:
            raise UsageError(f"unknown {self.kind} {name!r}; {near(name, self.parts)}")
        first, options = self._first(name), dict[str, str]()
        for word in filter(None, words.split(",")):
            key, equals, value = word.partition("=")
            if first and not options and not equals:
                key, equals, value = first, "=", word
            if key in options:
                raise UsageError(f"{self.kind} {name} is given {key!r} twice; leave one out")
            options[key] = value if equals else YES
        return self.choose(name, options)

    def choose(self, name: str, options: Mapping[str, Any]) -> Choice[Made]:
        """The part of that name with these options, those at their defaults left out."""
        kinds, found = self.options(name), {}
        for key, value in options.items():
            if key not in kinds:
                has = near(key, kinds) if kinds else "it has no options"
                raise UsageError(f"{self.kind} {name} has no option {key!r}; {has}")
            default, hint = kinds[key]
            accept = read if isinstance(value, str) else checked
            found[key] = accept(f"{self.kind}={name}:{key}", value, hint)
            if found[key] == default:
                del found[key]
        return Choice(self.kind, name, self.parts[name], tuple(sorted(found.items())))

    def options(self, name: str) -> dict[str, tuple[Any, Any]]:
        """option -> (default, annotation); a TypeError tells the author of a part what it lacks."""
        part = self.parts[name]
        if broken := next(self._faults(part), None):
            raise TypeError(f"the {self.kind} {name} {broken}")
        return options_of(part)

    def _first(self, name: str) -> str | None:
        """The option whose name may be left out in the first place, if the part has one."""
        hints = ((key, get_args(hint)) for key, (_, hint) in self.options(name).items())
        return next((key for key, beside in hints if First() in beside), None)

    def _faults(self, part: Part[Made]) -> Iterator[str]:
        for key in needs(part):
            if key not in self.given:
                yield (
                    f"takes {key!r}, and is given {', '.join(self.given) or 'nothing'}; make it an "
                    "option: keyword-only, with a type and a default"
                )
        for key, (default, hint) in options_of(part).items():
            if inspect.Parameter.empty in (default, hint):
                yield f"has an option {key!r} without a default or a type; give it both"
            else:
                try:
                    checked(key, default, hint)
                except UsageError as error:
                    yield f"has an option whose default is refused: {error}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.parts)


@final
@dataclass(frozen=True)
class Choice(Generic[Made]):
    """A part of a family with its options; those that are left out are at their defaults."""

    kind: str
    name: str
    part: Part[Made]
    set_options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """What `Family.read` reads as this choice."""
        words = ",".join(f"{key}={written(value)}" for key, value in self.set_options)
        return f"{self.name}:{words}" if words else self.name

    def __call__(self, **given: Any) -> Made:
        """Make the part, of what it takes out of what there is."""
        taken = {key: given[key] for key in needs(self.part) if key in given}
        return self.part(**taken, **dict(self.set_options))

    @property
    def maker(self) -> Part[Made]:
        """The part with its options set, to be called with what it is given."""
        return partial(self.part, **dict(self.set_options)) if self.set_options else self.part

    def takes(self, name: str) -> bool:
        """Whether the part is made of what has this name."""
        return name in needs(self.part)

    def option(self, name: str) -> Any:
        """The value of an option, set or by default."""
        return dict(self.set_options).get(name, options_of(self.part)[name][0])


@cache
def needs(part: Part[Any]) -> tuple[str, ...]:
    """The names of what a part is given: its positional parameters."""
    parameters = inspect.signature(part).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


@cache
def options_of(part: Part[Any]) -> dict[str, tuple[Any, Any]]:
    """option -> (default, annotation): a part's keyword-only parameters."""
    parameters = inspect.signature(part).parameters.values()
    maker = inspect.getattr_static(part, "__init__") if isinstance(part, type) else part
    hints = get_type_hints(maker, include_extras=True)
    return {
        p.name: (p.default, hints.get(p.name, p.empty))
        for p in parameters
        if p.kind is p.KEYWORD_ONLY
    }


def near(name: str, names: Iterable[str]) -> str:
    """Those that there are, and the nearest."""
    nearest = difflib.get_close_matches(name, list(names), n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"known: {', '.join(names)}{hint}"
