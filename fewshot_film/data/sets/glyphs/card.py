"""arrays -> GLYPHS.md, the card of the data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fewshot_film.data.sets.glyphs.carriers import CARRIERS, licence
from fewshot_film.data.sets.glyphs.lookalikes import MAX_MEAN, MAX_SINGLE, resemblance
from fewshot_film.data.sets.glyphs.split import UNSEEN_FAMILIES
from fewshot_film.data.sets.glyphs.store import Arrays
from fewshot_film.data.source import SPLITS

_TEXT = """# Glyphs

Letters of many scripts, drawn in open typefaces: 28 x 28 pixels, 16 grey levels, bright ink on
black. The ink's bounding box is fitted into 20 x 20 pixels and centred. A class is a character; the
domain of an image is its typeface family. No script is in two splits.

{splits}

## Scripts

{scripts}

Letters are Unicode's Lu, Ll and Lo without a decomposition. Related scripts stand in one split.

{spread}

## Look-alikes

Two classes are one when the cosine of their blurred, mean-free glyphs is above {mean} on average
over the families that draw both, or above {single} in any one pair of the families' regular glyphs.
{merged} classes hold several characters, which their names list. A look-alike of a character in an
earlier split is left out ({displaced} characters): {displaced_names}.

The most alike classes that remain (1 is the bound): {closest}.

## Typefaces

The unseen families are left out of train: {unseen}.

{families}

Both licences leave pictures made with the fonts free; no font is in this package. Names are given
to credit the designers; reserved font names stay reserved.

{notices}

## Making it again

    pip install '.[fonts]'
    python -m fewshot_film.data.sets.glyphs.generate

draws from {carriers}. The same versions of these, of Pillow (with its FreeType) and of zlib give
the same bytes. The fonts of matplotlib (DejaVu 2.37, STIX 1) have not changed for years, so its
version is left open.
"""


def card(arrays: Arrays, displaced: Sequence[str], notices: Sequence[tuple[str, str]]) -> str:
    """`displaced` names the characters left out, `notices` pairs families with copyrights."""
    return _TEXT.format(
        splits=_splits(arrays),
        scripts=_scripts(arrays),
        spread=_spread(arrays),
        mean=MAX_MEAN,
        single=MAX_SINGLE,
        merged=sum(" / " in name for name in arrays["names"]),
        displaced=len(displaced),
        displaced_names=", ".join(displaced),
        closest="; ".join(_closest(arrays, 10)),
        unseen=", ".join(UNSEEN_FAMILIES),
        families=_families(arrays),
        notices="\n".join(f"- {family}: {notice}" for family, notice in notices),
        carriers=", ".join(f"{c.distribution} {c.version or ''}".strip() for c in CARRIERS),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _splits(arrays: Arrays) -> str:
    split_of_image = arrays["splits"][arrays["labels"]]
    unseen = np.isin(arrays["family_names"], UNSEEN_FAMILIES)[arrays["families"]]
    rows = []
    for split in SPLITS:
        mine = split_of_image == split
        both = np.intersect1d(arrays["labels"][mine & unseen], arrays["labels"][mine & ~unseen])
        rows.append((split, (arrays["splits"] == split).sum(), mine.sum(), len(both)))
    return _table(("split", "classes", "images", "classes in seen and unseen families"), rows)


def _scripts(arrays: Arrays) -> str:
    script = np.array([name.split(" U+")[0] for name in arrays["names"]])
    rows = []
    for split in SPLITS:
        for name in np.unique(script[arrays["splits"] == split]):
            images = script[arrays["labels"]] == name
            families = len(np.unique(arrays["families"][images]))
            rows.append((split, name, (script == name).sum(), images.sum(), families))
    return _table(("split", "script", "classes", "images", "families"), rows)


def _spread(arrays: Arrays) -> str:
    size, split = np.bincount(arrays["labels"]), arrays["splits"]
    rows = ((n, *(((size == n) & (split == s)).sum() for s in SPLITS)) for n in np.unique(size))
    return _table(("images of a class", *(f"{split} classes" for split in SPLITS)), rows)


def _closest(arrays: Arrays, count: int) -> list[str]:
    ratio = np.triu(resemblance(arrays["images"], arrays["labels"], arrays["families"]))
    order = np.argsort(-ratio.round(3), axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, ratio.shape), strict=True)
    names = arrays["names"]
    return [f"{names[a]} and {names[b]} ({ratio[a, b]:.3f})" for a, b in pairs]


def _families(arrays: Arrays) -> str:
    images = np.bincount(arrays["families"]).tolist()
    carriers: dict[str, dict[str, None]] = {}
    for carrier in CARRIERS:
        for family, _ in carrier.files:
            carriers.setdefault(family, {})[carrier.distribution] = None
    rows = [
        (name, licence(name), n, ", ".join(carriers[name]))
        for name, n in zip(arrays["family_names"].tolist(), images, strict=True)
    ]
    return _table(("family", "licence", "images", "drawn from"), rows)
