"""python -m fewshot_film.data.sets.glyphs.generate [--out FILE]: fonts -> glyphs.npz, GLYPHS.md.

Needs the `fonts` extra. The same packages, Pillow and zlib give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fontTools.unicodedata import script, script_name  # type: ignore[import-untyped]

from fewshot_film.data.sets.glyphs import store
from fewshot_film.data.sets.glyphs.card import card
from fewshot_film.data.sets.glyphs.carriers import check_installed
from fewshot_film.data.sets.glyphs.classes import (
    Drawings,
    Group,
    choose,
    draw_all,
    family_names,
    merge,
    split_of,
    stack,
)
from fewshot_film.data.sets.glyphs.faces import faces


def generate(out: Path) -> None:
    """Draw, merge look-alikes, choose images; write the file and, beside it, its card."""
    check_installed()
    every_face = list(faces())
    drawn = draw_all(every_face)
    groups = merge(drawn)
    arrays = to_arrays(groups, drawn)
    store.write(out, arrays)
    in_a_class = {code for group in groups for code in group}
    displaced = [class_name((code,)) for code in drawn if code not in in_a_class]
    notices = sorted({(face.family, face.notice) for face in every_face})
    out.with_name("GLYPHS.md").write_text(card(arrays, displaced, notices), encoding="utf-8")


def to_arrays(groups: list[Group], drawn: Drawings) -> dict[str, np.ndarray]:
    chosen = [choose(group, drawn) for group in groups]
    images, labels, families = stack(chosen)
    return {
        "images": images,
        "labels": labels.astype(np.uint16),
        "families": families.astype(np.uint8),
        "names": np.array([class_name(group) for group in groups]),
        "splits": np.array([split_of(group[0]) for group in groups]),
        "family_names": np.array(family_names(d for drawings in chosen for d in drawings)),
    }


def class_name(group: Group) -> str:
    """(0x63, 0x43) -> "Latin U+0063 / U+0043": the script is said again where it changes."""
    words, last = [], ""
    for code in group:
        name = script_name(script(chr(code)))
        words.append(f"U+{code:04X}" if name == last else f"{name} U+{code:04X}")
        last = name
    return " / ".join(words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Render the glyphs data set from font packages.")
    parser.add_argument("--out", type=Path, default=store.FILE)
    generate(parser.parse_args().out)
