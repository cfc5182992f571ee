"""Labellings that pictures bring along: `python experiments/natural_labellings.py`.

Class or style on PACS, class or camera on Office-Caltech10, character or alphabet on Omniglot: the
support set alone tells which is the label. The shipped model "photos" has seen no picture of the
first two and no such question; beside it stand the heads that close a form.

Protocol: EfficientNet-Lite0 at 128 pixels, pretrained on ImageNet, whose classes are among those
tested; 3-way, 5 shots, 5 queries a class; the same 600 tasks for all. What is not asked for is
crossed with the label; an alphabet's queries are of characters that its support set does not show.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pretrained_objects
import show_tests
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

PLACES = {
    "class-or-style": ",".join(pretrained_objects.STYLES),
    "class-or-camera": ",".join(pretrained_objects.PLACES),
    "character-or-alphabet": None,
}
TESTS = tuple(
    tasks(way=3, shot=5, query=5, episodes=600, dataset=name, domains=domains)
    for name, domains in PLACES.items()
)


def asked(row: Row) -> Row:
    """A row of `pretrained_objects`, its training shared, put to these tests."""
    return replace(row, tests=TESTS)


ROWS = tuple(map(asked, pretrained_objects.RECIPE.rows))
RECIPE = Recipe("natural_labellings", ROWS, show_tests.summary, show_tests.figure)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
