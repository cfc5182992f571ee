"""The recipes that bring parts or data sets of their own, known only where a test asks for them.

Else those would be among what the tests that are collected after go through.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from fewshot_film.config.catalog import ENTRIES
from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.parts.encoder import ENCODERS

KNOWN: tuple[dict[str, Any], ...] = (ENCODERS.parts, ADAPTERS.parts, ENTRIES)
BEFORE = [set(known) for known in KNOWN]

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
NAMES = ("never_asked", "operations_curve", "photo_attributes", "photo_operations")
RECIPES = tuple(import_module(name).RECIPE for name in NAMES)
BROUGHT = [
    {name: known.pop(name) for name in list(known) if name not in before}
    for known, before in zip(KNOWN, BEFORE, strict=True)
]


@contextmanager
def known() -> Iterator[None]:
    """Their names are known inside."""
    for known, brought in zip(KNOWN, BROUGHT, strict=True):
        known |= brought
    try:
        yield
    finally:
        for known, brought in zip(KNOWN, BROUGHT, strict=True):
            for name in brought:
                del known[name]
