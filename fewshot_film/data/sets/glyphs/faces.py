"""font package -> faces: each font file at each weight and width that is drawn."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import ImageFont

from fewshot_film.data.sets.glyphs.carriers import CARRIERS, Carrier
from fewshot_film.errors import UsageError

PIXELS = 96  # drawn large, then reduced


@dataclass(frozen=True)
class Face:
    """A font ready to draw. `rank` orders the faces of a family; 0 is its regular one."""

    family: str
    rank: int
    slanted: bool
    font: ImageFont.FreeTypeFont
    characters: frozenset[int]
    notice: str


def faces() -> Iterator[Face]:
    """Every face, carrier by carrier, a family's files in the order listed."""
    for carrier in CARRIERS:
        files_seen: Counter[str] = Counter()
        for family, pattern in carrier.files:
            for path in _paths(carrier, pattern):
                yield from _faces_of(family, path, files_seen[family])
            files_seen[family] += 1


def _paths(carrier: Carrier, pattern: str) -> list[Path]:
    package, _, rest = carrier.folder.partition("/")
    spec = util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in sorted(Path(folder, rest).glob(pattern))]
    if not found:
        raise UsageError(f"{carrier.distribution} holds no {pattern}; reinstall it")
    return found


def _faces_of(family: str, path: Path, rank: int) -> Iterator[Face]:
    """A static file is one face; a variable one is several."""
    data = _read(path)
    table = TTFont(io.BytesIO(data), lazy=True)
    # The map of characters is asked of each file: a bold or slanted file often holds fewer.
    characters = frozenset(table.getBestCmap())
    notice = " ".join((table["name"].getDebugName(0) or "").split())
    slanted = "Oblique" in path.stem
    settings = list(_settings(table["fvar"].axes)) if "fvar" in table else [None]
    for step, axes in enumerate(settings):
        font = ImageFont.truetype(io.BytesIO(data), PIXELS, layout_engine=ImageFont.Layout.BASIC)
        if axes is not None:
            font.set_variation_by_axes(axes)
        yield Face(family, rank + step, slanted, font, characters, notice)


def _read(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    # This carrier keeps each font file as a bytes object in a module.
    module = import_module(f"{path.parent.name}.{path.stem}")
    return bytes(module.fontbuffer)


def _settings(axes: list[Any]) -> Iterator[list[float]]:
    """Axis values of four weights, and of two of them condensed where the font can be."""
    low, high = next((a.minValue, a.maxValue) for a in axes if a.axisTag == "wght")
    light = max(low, 250.0) if low < 350 else 500.0
    heavy = min(high, 900.0) if high > 750 else 600.0
    narrowest = min((a.minValue for a in axes if a.axisTag == "wdth"), default=100.0)
    looks = [(400.0, 100.0), (700.0, 100.0), (light, 100.0), (heavy, 100.0)]
    if narrowest <= 75:
        looks += [(400.0, narrowest), (700.0, narrowest)]
    for weight, width in looks:
        value = {"wght": weight, "wdth": width}
        yield [value.get(axis.axisTag, axis.defaultValue) for axis in axes]
