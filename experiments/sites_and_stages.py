"""Where conditioning is to stand, and what is to be read: `python experiments/sites_and_stages.py`.

The tasks of `photo_attributes`, by FiLM inside EfficientNet-Lite0: at the norms of the first third
of the network, the last third, all, those behind the depthwise convolutions, or the last one alone;
with the network's last features, or with those of all its stages. Beside them stands FiLM behind a
neck that reads the stages of the frozen network, trained as long.

Protocol: as `photo_attributes`, but at 64 pixels, with 400 steps of two tasks each, since every
image passes the network in every step; 200 tasks.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import show_tests
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config

SITES = ("last", "early", "late", "all", "depthwise")
TESTS = (tasks(shot=3, query=3, episodes=200),)
BASE = default_config(
    "photo-attributes",
    size=64,
    pool=None,
    tasks=2,
    steps=400,
    validate_every=200,
    validation_episodes=60,
)
NECK = Row("neck", BASE, TESTS, "frozen")


def inside(sites: str, features: str = "last") -> Row:
    """FiLM at these norms, with these features."""
    extractor = f"efficientnet-lite0:sites={sites},features={features}"
    name = sites if features == "last" else f"{sites}-{features}"
    return Row(name, replace(BASE, extractor=extractor), TESTS, "frozen")


def frozen(row: Row) -> Row:
    """The network of a row as it was published."""
    name = "frozen" if row.name == SITES[0] else "frozen-stages"
    base = None if name == "frozen" else "frozen"
    return replace(row, name=name, variant="@frozen", training=row.name, compared_with=base)


STAGES = tuple(inside(sites, "stages") for sites in ("late", "all"))
LAST = tuple(map(inside, SITES))
RECIPE = Recipe(
    "sites_and_stages",
    (frozen(LAST[0]), frozen(STAGES[0]), *LAST, *STAGES, NECK),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
