"""A factor that no training asked for: `python experiments/never_asked.py`.

The training of `photo_attributes`, five times, each without asking for one of its factors, which
varies as before but is a nuisance in every task; put to tasks that ask for nothing else. Beside it
stand the training that asked for all of them and the frozen network. None is taught to name what
is asked, since that would tell of the factor left out.

Protocol: as `photo_attributes`, 200 tasks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import photo_attributes
import show_tests
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks
from variations import tested_on, trained_on

from fewshot_film.config.photo_tasks import ASKED
from fewshot_film.tasks import photo_attribute_tasks
from fewshot_film.tasks.episode import SamplerFactory
from fewshot_film.tasks.factors import SEEN

DATA = "photo-attributes"
BASE = replace(photo_attributes.BASE, objective="episodes:attribute_weight=0")


def asking(asked: Sequence[str]) -> SamplerFactory:
    """Tasks on photographs that vary in all factors, which ask for some."""
    levels = dict.fromkeys(ASKED, SEEN)
    return partial(photo_attribute_tasks, factors=ASKED, levels=levels, asked=asked)


ONLY = {
    factor: tasks(
        shot=3,
        query=3,
        episodes=200,
        dataset=tested_on(f"{DATA}-{factor}", DATA, asking((factor,))),
    )
    for factor in ASKED
}
TESTS = tuple(ONLY.values())


def never(factor: str) -> Row:
    """Trained without a factor, and asked for it."""
    others = asking(("class", *(name for name in ASKED if name != factor)))
    data = trained_on(f"{DATA}-without-{factor}", DATA, others)
    config = replace(BASE, dataset=data)
    return Row("never", config, (ONLY[factor],), "frozen", training=f"without-{factor}")


def careful(row: Row) -> Row:
    """The same, which goes without where its support set is told no better."""
    return replace(row, name=f"{row.name}-safe", variant="@safe")


def beside(name: str, compared_with: str | None = "frozen") -> Row:
    """A row of `photo_attributes`, whose training it shares."""
    row = next(row for row in photo_attributes.RECIPE.rows if row.name == name)
    return replace(row, tests=TESTS, compared_with=compared_with, home="photo_attributes")


RECIPE = Recipe(
    "never_asked",
    (
        beside("frozen", None),
        beside("frozen-ridge"),
        beside("neck"),
        *map(never, ASKED),
        *(careful(never(factor)) for factor in ASKED),
        Row("asked", BASE, TESTS, "frozen"),
    ),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
