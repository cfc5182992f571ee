"""What makes a reader out of a switch: `python experiments/operations_curve.py`.

The training of `photo_operations` on colours and details, with less of one thing at a time: fewer
operations to meet, fewer classes to meet them on, fewer pictures, fewer steps. All are put to
operations that none of them met: random ones drawn anew, and ten named renderings.

Protocol: as `photo_operations`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import photo_operations
import show_tests
import tyro
from recipe import Options, Recipe, Row, run_recipe
from variations import trained_on

from fewshot_film.data.image_set import ImageSet
from fewshot_film.tasks import random_operation_tasks
from fewshot_film.tasks.episode import Sampler, SamplerFactory

BANKS, CLASSES, POOLS, STEPS = (10, 60, 240), (8, 19), (60, 250), (500, 1000, 4000)
"""Operations, classes, sets of pictures and steps of a training, where they are not the usual."""

WHOLE = next(row for row in photo_operations.ROWS if row.name == "colour-cosine")
FROZEN = next(row for row in photo_operations.ROWS if row.name == "frozen-cosine")
ALL = WHOLE.config.dataset
TESTS = tuple(test for test in WHOLE.tests if test.dataset != "photo-geometry")


def out_of_bank(size: int) -> SamplerFactory:
    """Tasks on operations out of so many."""
    return partial(random_operation_tasks, kinds=("colour",), bank=size)


def on_classes(count: int) -> SamplerFactory:
    """Tasks on the first of the classes, in the order of their names."""

    def sampler(data: ImageSet, way: int, shot: int, query: int) -> Sampler:
        some = data.of_classes(range(count))
        return random_operation_tasks(some, way, shot, query, kinds=("colour",))

    return sampler


def less(name: str, **choices: Any) -> Row:
    """The same training but for these choices."""
    config = replace(WHOLE.config, **choices)
    return Row(name, config, TESTS, compared_with="frozen")


def shared(row: Row, name: str, compared_with: str | None) -> Row:
    """A row of `photo_operations`, whose training it shares."""
    home, training = photo_operations.RECIPE.name, row.training or row.name
    same = replace(row, name=name, tests=TESTS, compared_with=compared_with)
    return replace(same, home=home, training=training)


DATA: Mapping[str, SamplerFactory] = {
    **{f"operations-{n}": out_of_bank(n) for n in BANKS},
    **{f"classes-{n}": on_classes(n) for n in CLASSES},
}
RECIPE = Recipe(
    "operations_curve",
    (  # of each thing from least to most
        shared(FROZEN, "frozen", None),
        *(less(name, dataset=trained_on(f"{ALL}-{name}", ALL, d)) for name, d in DATA.items()),
        *(less(f"sets-{n}", pool=n) for n in POOLS),
        *(less(f"steps-{n}", steps=n) for n in STEPS),
        shared(WHOLE, "whole", "frozen"),
    ),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
