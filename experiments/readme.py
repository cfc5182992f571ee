"""Fill README.md and docs/results/ from results/ and the families: `python experiments/readme.py`.

A marker names a file of results/, whose first table goes below it, or the rows of that table that
are wanted; the markers `families` and `reproduced` have tables of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fewshot_film.config.config import FAMILIES
from fewshot_film.report.tables import percent, table

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "results").glob("*.md")))
MARKED = re.compile(
    r"(<!-- (\w+)(?:: ([^:>]+?))?(?:: ([^>]+?))? -->\n).*?(<!-- end -->)", re.DOTALL
)

MADE_OF = {"adapter", "conditioning", "encoder", "generator", "extractor", "normalization", "head"}
SNELL, LEE = "Snell et al. 2017", "as quoted by Lee et al. 2019"
PUBLISHED = (
    (SNELL, "Omniglot, 20-way 5-shot", "98.9", "omniglot_protonet/five-shot-20w5s"),
    (f"{SNELL}, {LEE}", "CIFAR-FS, 5-way 5-shot", "72.0", "cifar_fs_protonet/five-shot-5w5s"),
    (f"{SNELL}, {LEE}", "FC100, 5-way 5-shot", "48.6", "fc100_protonet/five-shot-5w5s"),
    (
        "Oreshkin et al. 2018, the whole of TADAM",
        "FC100, 5-way 5-shot; a quarter as wide here, a fifth of the steps",
        "56.1",
        "tadam_ablation/alpha-at-tc-5w5s",
    ),
)
"""(who, what, their accuracy in %, the file of results/ that answers it)."""


def filled(text: str, root: Path) -> str:
    """A page -> the same with every marked table as it stands today."""

    def fill(found: re.Match[str]) -> str:
        head, kind, file, rows, end = found.groups()
        return head + TABLES[kind](root, file or "", rows or "") + "\n" + end

    return MARKED.sub(fill, text)


def of_results(root: Path, file: str, rows: str) -> str:
    """The first table of a file; with `rows`, only those that begin with these words."""
    lines = file_table(root / file)
    wanted = {row.strip() for row in rows.split(",")} - {""}
    kept = [line for line in lines[2:] if not wanted or line.split("|")[1].strip() in wanted]
    return "\n".join([*lines[:2], *kept])


def file_table(file: Path) -> list[str]:
    """The first run of lines that begin with a bar."""
    lines = file.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    stop = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return lines[start:stop]


def of_families(root: Path, file: str, rows: str) -> str:  # noqa: ARG001, one signature
    """What there is to choose from: a row for each family of parts that a model is made of."""
    head = ["family", "parts", "names"]
    made_of = {name: f for name, f in FAMILIES.items() if name in MADE_OF}
    found = [[name, str(len(f.names)), ", ".join(f.names)] for name, f in made_of.items()]
    return table([head, *found])


def of_published(root: Path, file: str, rows: str) -> str:  # noqa: ARG001
    """Published accuracies beside those of results/."""
    found = [["published by", "what", "published (%)", "here (%)", "command"]]
    for who, what, theirs, name in PUBLISHED:
        ours = json.loads((root / "results" / f"{name}.json").read_text())
        recipe = name.partition("/")[0]
        here = percent(ours["accuracy"], ours["ci95"])
        found.append([who, what, theirs, here, f"`python experiments/{recipe}.py`"])
    return table(found)


TABLES: Mapping[str, Callable[[Path, str, str], str]] = {
    "table": of_results,
    "families": of_families,
    "reproduced": of_published,
}

if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(), ROOT))
