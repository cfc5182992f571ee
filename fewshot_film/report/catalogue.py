"""What there is to choose from, family by family, told by the parts themselves."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from fewshot_film.base.family import Family, near
from fewshot_film.base.values import written
from fewshot_film.config.config import FAMILIES
from fewshot_film.errors import UsageError

WIDTH, INDENT = 96, " " * 6
CITED = re.compile(r"\(([^()]*\b(?:19|20)\d\d[^()]*)\)")


def parts_listing(name: str | None = None) -> str:
    """Every part, or those of one family: what is typed, what it does, and who published it."""
    if name is not None and name not in FAMILIES:
        raise UsageError(f"there is no family {name!r}; {near(name, FAMILIES)}")
    chosen = [FAMILIES[name]] if name else list(FAMILIES.values())
    return "\n\n".join("\n".join([family.kind, *_entries(family)]) for family in chosen)


def _entries(family: Family[Any]) -> Iterator[str]:
    for name, part in family.parts.items():
        pairs = ((key, default) for key, (default, _) in family.options(name).items())
        words = ",".join(f"{key}={written(default)}" for key, default in pairs)
        yield f"  {name}:{words}" if words else f"  {name}"
        source = paper(part)
        text = f"{summary(part).rstrip('.')} ({source})" if source else summary(part)
        yield textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def summary(part: Any) -> str:
    """The first line of a part's docstring, the equation or the mapping; the source is apart."""
    line = inspect.cleandoc(part.__doc__ or "").partition("\n")[0]  # not what it inherits
    return re.sub(r"\s*" + CITED.pattern, "", line)


def paper(part: Any) -> str:
    """The source, with its year, that a part's first line cites, else its file, else the rest."""
    own = inspect.getdoc(part) or ""
    file = inspect.getdoc(sys.modules[part.__module__]) or ""
    found = (CITED.search(text) for text in (own.partition("\n")[0], file, own))
    return next((" ".join(match[1].split()) for match in found if match), "")
