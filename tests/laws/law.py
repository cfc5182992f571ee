"""A law: a check of one case, the parts that break it, and the exceptions from it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias, final

import making
import pytest
from laws.cases import BASE, Case, drawn, varied, worded
from torch import nn

from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.conditioning import Conditioning
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator import Generator
from fewshot_film.parts.head import Head
from fewshot_film.parts.normalization import Normalization

Check: TypeAlias = Callable[[Case], None]

AXIS_OF = {
    Conditioning: "conditioning",
    Normalization: "normalization",
    Extractor: "extractor",
    TaskEncoder: "encoder",
    Generator: "generator",
    Adapter: "adapter",
    Head: "head",
}
NOTHING: Mapping[str, str] = MappingProxyType({})


@final
@dataclass(frozen=True)
class Law:
    """`check` raises AssertionError where a case breaks the law, as with a part of `broken_by`.

    `exceptions` holds the choices, as axis=choice, that need not keep it, and why. A `costly` law
    runs every time for the base alone. The shapes of the annotations are checked under the laws of
    `shapes` alone, since that takes longer than all else and the others call the same functions.
    """

    check: Check
    broken_by: tuple[type[nn.Module], ...]
    exceptions: Mapping[str, str]
    costly: bool
    shapes: bool
    gpu: bool

    def __str__(self) -> str:
        return self.check.__name__

    def __call__(self, case: Case) -> None:
        with nullcontext() if self.shapes else making.unchecked():
            self.check(case)

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        return [pytest.mark.gpu] if self.gpu else []

    def holds_for(self, case: Case) -> bool:
        return case.choices.isdisjoint(self.exceptions)


@final
@dataclass(frozen=True)
class Laws:
    """The laws of what is made of a choice of each of these axes.

    Every time they run for every part around the base, and for `quick` cases of the product.
    """

    axes: tuple[str, ...]
    quick: int = 0
    found: list[Law] = field(default_factory=list)

    def law(
        self,
        *broken_by: type[nn.Module],
        exceptions: Mapping[str, str] = NOTHING,
        costly: bool = False,
        shapes: bool = False,
        gpu: bool = False,
    ) -> Callable[[Check], Check]:
        """Take a check for a law."""

        def taken(check: Check) -> Check:
            self.found.append(Law(check, broken_by, exceptions, costly, shapes, gpu))
            return check

        return taken

    def cases(self) -> Iterator[Any]:
        """Every law and case, marked slow where it is not to run every time."""
        around, pairs = varied(self.axes), drawn(self.axes) if len(self.axes) > 1 else []
        quick = dict.fromkeys([*around, *pairs[: self.quick]])
        slow = [case for case in [*worded(self.axes), *pairs[self.quick :]] if case not in quick]
        for law in self.found:
            for case in around if law.costly else [*quick, *slow]:
                if law.holds_for(case):
                    yield told(law, case, case != BASE if law.costly else case not in quick)

    def exceptions(self) -> Iterator[Any]:
        """Every law, and the base with a choice that need not keep it."""
        for law in self.found:
            for choice in law.exceptions:
                axis, _, name = choice.partition("=")
                if axis in self.axes:
                    yield told(law, replace(BASE, **{axis: name}))

    def violations(self) -> Iterator[Any]:
        """Every law, an axis, and a part that breaks the law there."""
        for law in self.found:
            for part in law.broken_by:
                (axis,) = (axis for base, axis in AXIS_OF.items() if issubclass(part, base))
                name = f"{law}-{part.__name__}"
                yield pytest.param(law, axis, part, id=name, marks=law.marks)


def told(law: Law, case: Case, slow: bool = False) -> Any:
    marks = [*law.marks, *([pytest.mark.slow] if slow else [])]
    return pytest.param(law, case, id=f"{law}-{case}", marks=marks)
