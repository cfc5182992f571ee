"""Operations never met: `python experiments/photo_operations.py`.

Tasks that ask for the class of a photograph or for what was done to it. A network that trains on
random operations on colours and details, drawn anew for every task, is put to new ones, to ten
named renderings, and to operations on geometry, of which it saw none; and the reverse. Whether it
reads what separates the classes, or has learned a few questions, shows there. `told` learned the
same tasks with one thing more: whether the class is asked for, which no method can know. `careful`
is made as the model "photos" is, and `plain-stages` is what that has without parameters. The rows
of `renderings` learned the ten that the others never met.

Protocol: EfficientNet-Lite0 at 128 pixels (pretrained on ImageNet, whose classes are among those
tested); 38 classes of CIFAR-100 to learn from, 23 others to validate on, the 20 of CIFAR-FS's test;
3-way 3-shot, 3 queries a class; the same 400 tasks for all.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import show_tests
import told
import tyro
from photos import MODEL
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import suited

KINDS = {"colour": "photo-operations", "geometry": "photo-geometry"}
TESTED = (*KINDS.values(), "photo-renderings")
TESTS = tuple(tasks(way=3, shot=3, query=3, episodes=400, dataset=name) for name in TESTED)


def of_kind(kind: str) -> list[Row]:
    """Trained on one kind: with cosine prototypes, with ridge, each safe, too; and told."""
    base = default_config(KINDS[kind], steps=2000, validate_every=500)
    found = []
    for head in ("cosine", "ridge"):
        row = Row(f"{kind}-{head}", replace(base, head=head), TESTS, f"frozen-{head}")
        found += [row, replace(row, name=f"{row.name}-safe", variant="@safe", training=row.name)]
    knowing = suited(base, encoder=f"{told.NAME}:factors=2")
    return [*found, Row(f"{kind}-told", knowing, TESTS, "frozen-cosine")]


def careful(kind: str) -> Row:
    """Trained on one kind as the model "photos" is: its stages take part, and it is as careful."""
    base = default_config(KINDS[kind], steps=2000, validate_every=500)
    likewise = replace(base, head=MODEL.config.head, extractor=MODEL.config.extractor)
    return Row(f"{kind}-careful", likewise, TESTS, "frozen-ridge", variant=MODEL.variant)


def frozen(head: str) -> Row:
    """The network as it was published."""
    trained = next(row for row in of_kind("colour") if row.config.head == head)
    base = None if head == "cosine" else "frozen-cosine"
    return replace(
        trained,
        name=f"frozen-{head}",
        variant="@frozen",
        training=trained.name,
        compared_with=base,
    )


def on_renderings(name: str, **choices: str) -> Row:
    """Trained on the ten renderings themselves, which is what they are worth to those that know."""
    base = default_config("photo-renderings", steps=2000, validate_every=500)
    return Row(f"renderings-{name}", suited(base, **choices), TESTS[2:], "frozen-cosine")


CAREFUL = tuple(map(careful, KINDS))
PLAIN = replace(CAREFUL[0], name="plain-stages", training=CAREFUL[0].name, variant="@frozen")
ROWS = (frozen("cosine"), frozen("ridge"), *of_kind("colour"), *of_kind("geometry"))
KNOWING = (
    on_renderings("cosine"),
    on_renderings("told", encoder=f"{told.NAME}:factors=2"),
)
RECIPE = Recipe(
    "photo_operations",
    (*ROWS, PLAIN, *CAREFUL, *KNOWING),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
