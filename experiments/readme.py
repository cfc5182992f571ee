"""Put the tables of results/ into README.md, between their markers: `python experiments/readme.py`.

A marker names a file of results/; the file's first table goes below it.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, root: Path) -> str:
    """README text -> the same with every marked table as it stands in its file."""
    return MARKED.sub(lambda m: m[1] + first_table(root / m[2]) + "\n" + m[3], text)


def first_table(file: Path) -> str:
    """The first run of lines that begin with a bar."""
    lines = file.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    stop = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return "\n".join(lines[start:stop])


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text(), ROOT))
