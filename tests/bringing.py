"""The recipes that bring parts of their own, which are known only where a test asks for them.

Else those parts would be in every family of the tests that are collected after.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
import controls
import photo_attributes
import told

from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.parts.encoder import ENCODERS

PARTS = {
    ENCODERS: (told.NAME,),
    ADAPTERS: (controls.OTHER_QUESTION, controls.SHUFFLED, controls.ANOTHER),
}
OWN = {family: {name: family.parts.pop(name) for name in names} for family, names in PARTS.items()}
RECIPE = photo_attributes.RECIPE


@contextmanager
def known() -> Iterator[None]:
    """Their names are known inside."""
    for family, parts in OWN.items():
        family.parts |= parts
    try:
        yield
    finally:
        for family, parts in OWN.items():
            for name in parts:
                del family.parts[name]
