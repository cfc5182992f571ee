"""What there is to choose from, family by family, told by the parts themselves."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from fewshot_film.base.family import Family, near, options_of
from fewshot_film.base.values import written
from fewshot_film.config.config import FAMILIES
from fewshot_film.errors import UsageError
from fewshot_film.report.tables import table

CITED = re.compile(r"\(([^()]*\b(?:19|20)\d\d[^()]*)\)")


def parts_table(name: str | None = None) -> str:
    """A row for each part: what is typed, what it does, and who published it."""
    if name is not None and name not in FAMILIES:
        raise UsageError(f"there is no family {name!r}; {near(name, FAMILIES)}")
    chosen = [FAMILIES[name]] if name else list(FAMILIES.values())
    head = ["family", "part", "what it does", "published by"]
    return table([head, *(row for family in chosen for row in _rows(family))])


def _rows(family: Family[Any]) -> Iterator[list[str]]:
    for name, part in family.parts.items():
        options = ",".join(
            f"{key}={written(value)}" for key, (value, _) in options_of(part).items()
        )
        yield [family.kind, f"{name}:{options}" if options else name, summary(part), paper(part)]


def summary(part: Any) -> str:
    """The first line of a part's docstring, the equation or the mapping; the source is apart."""
    line = (inspect.getdoc(part) or "").partition("\n")[0]
    return re.sub(r"\s*" + CITED.pattern, "", line)


def paper(part: Any) -> str:
    """The first source that a part, or its file, cites with a year."""
    for text in (inspect.getdoc(part), inspect.getdoc(sys.modules[part.__module__])):
        if found := CITED.search(text or ""):
            return " ".join(found[1].split())
    return ""
