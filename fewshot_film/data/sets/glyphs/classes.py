"""faces -> characters drawn -> classes of characters that can be told apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from fontTools.unicodedata import script  # type: ignore[import-untyped]

from fewshot_film.data.sets.glyphs.faces import Face
from fewshot_film.data.sets.glyphs.lookalikes import mutual_best, resemblance
from fewshot_film.data.sets.glyphs.render import Glyph, draw, missing
from fewshot_film.data.sets.glyphs.split import SPLIT_OF_SCRIPT, UNSEEN_FAMILIES
from fewshot_film.data.source import SPLITS

MAX_IMAGES, MIN_IMAGES = 12, 2
WITHOUT_SLANTED = 4  # slanted faces are drawn on only by a class with fewer upright images
WIDEST_FAMILIES = ("Noto Sans", "DejaVu Sans")  # kept first, so that classes can be compared


@dataclass(frozen=True)
class Drawing:
    family: str
    rank: int
    slanted: bool
    image: Glyph


Drawings = dict[int, list[Drawing]]  # by code point
Group = tuple[int, ...]  # code points of one class


def split_of(code: int) -> str:
    return SPLIT_OF_SCRIPT[script(chr(code))]


def is_letter(code: int) -> bool:
    """A letter of a chosen script that Unicode does not define as a variant of others."""
    char = chr(code)
    return (
        script(char) in SPLIT_OF_SCRIPT
        and unicodedata.category(char) in ("Lu", "Ll", "Lo")
        and not unicodedata.decomposition(char)
    )


def draw_all(faces: Iterable[Face]) -> Drawings:
    """Every letter in every face that truly draws it; unseen families draw no training script."""
    drawn: dict[int, dict[tuple[str, int], Drawing]] = {}
    for face in faces:
        absent = missing(face.font)
        for code in sorted(filter(is_letter, face.characters)):
            if face.family in UNSEEN_FAMILIES and split_of(code) == "train":
                continue
            image = draw(face.font, chr(code))
            if image is None or (absent is not None and np.array_equal(image, absent)):
                continue
            key = face.family, face.rank
            drawing = Drawing(*key, face.slanted, image)
            drawn.setdefault(code, {}).setdefault(key, drawing)
    return {code: list(by_face.values()) for code, by_face in sorted(drawn.items())}


def choose(group: Group, drawn: Drawings) -> list[Drawing]:
    """Up to 12 distinct images of a class: every family's regular first, then its other faces."""
    by_face = {(d.family, d.rank): d for code in reversed(group) for d in drawn[code]}
    last_first = sorted(by_face.values(), key=_stored_order, reverse=True)
    by_image = {d.image.tobytes(): d for d in last_first}
    # Which families come first turns with the code point, so that all of them are used.
    families = sorted({d.family for d in by_image.values()})
    turn = {f: (i - group[0]) % len(families) for i, f in enumerate(families)}

    def preference(d: Drawing) -> tuple[bool, int, bool, int]:
        return d.slanted, d.rank, d.family not in WIDEST_FAMILIES, turn[d.family]

    ranked = sorted(by_image.values(), key=preference)
    upright = sum(not d.slanted for d in ranked)
    kept = ranked[: min(MAX_IMAGES, max(upright, WITHOUT_SLANTED))]
    return sorted(kept, key=_stored_order)


def merge(drawn: Drawings) -> list[Group]:
    """Join the most alike classes until none are too alike, the closest pairs first.

    A class that spans splits stays in the earliest of them and loses the others' characters.
    """
    groups: list[Group] = [(code,) for code in drawn]
    while True:
        pairs = mutual_best(resemblance(*stack([choose(g, drawn) for g in groups])))
        if not pairs:
            return sorted(g for g in groups if len(choose(g, drawn)) >= MIN_IMAGES)
        for a, b in pairs:
            groups[a] = _in_earliest_split(groups[a] + groups[b])
        gone = {b for _, b in pairs}
        groups = [g for i, g in enumerate(groups) if i not in gone]


def stack(
    classes: Sequence[Sequence[Drawing]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drawings of each class -> (images, labels, families), families numbered by name."""
    drawings = [d for drawings in classes for d in drawings]
    number = {name: i for i, name in enumerate(family_names(drawings))}
    labels = [label for label, drawings in enumerate(classes) for _ in drawings]
    return (
        np.stack([d.image for d in drawings]),
        np.array(labels, dtype=np.int64),
        np.array([number[d.family] for d in drawings], dtype=np.int64),
    )


def family_names(drawings: Iterable[Drawing]) -> list[str]:
    return sorted({d.family for d in drawings})


def _stored_order(d: Drawing) -> tuple[str, int]:
    return d.family, d.rank


def _in_earliest_split(group: Group) -> Group:
    earliest = min(SPLITS.index(split_of(code)) for code in group)
    return tuple(sorted(c for c in group if SPLITS.index(split_of(c)) == earliest))
