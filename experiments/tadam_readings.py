"""Where TADAM's paper and code disagree or are silent: `python experiments/tadam_readings.py`.

Source: Oreshkin et al., TADAM (2018), its text and its code; docs/recipes.md lists the points.
Protocol: each point put to *validation* classes of FC100, 5-way 5-shot, 1,000 episodes of 20
queries a class, inductive, the same episodes for every row; test classes are not looked at. A
checkpoint is chosen on the same classes, by other episodes.

`base` is the row alpha of `tadam_ablation` with half its steps; every other row changes one thing
of the row that it is compared with, but for three: the squared distance has the metric scale that
suits it, learned from there; `tc-decay-20` has both decays of `tadam_ablation`, where other rows
with tc have TADAM's own, 0.01 of the multipliers alone; and `tc-discriminative` has another encoder
and another generator than TADAM's. Accuracy varies by 1.4 points over three trainings of `base` and
by 6.5 over those of `tc-running`: two points between single trainings say little.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks
from tadam_ablation import ALPHA, DECAYS, NARROW, PUBLISHED_DECAYS, conditioned, fixed_scale

BASE = replace(NARROW, head=fixed_scale(ALPHA), steps=NARROW.steps // 2)
TESTS = (tasks(5, 5, query=20, split="val"),)


def reading(name: str, of: Row, **fields: Any) -> Row:
    """A row with some fields of another changed, compared with it."""
    return Row(name, replace(of.config, **fields), TESTS, of.name)


PLAIN = Row("base", BASE, TESTS)
CO_TRAINED = reading("at-addition", PLAIN, auxiliary="addition")
CONDITIONED = Row("tc", conditioned(BASE, PUBLISHED_DECAYS), TESTS, PLAIN.name)
RUNNING = reading("tc-running", CONDITIONED, encoder="prototype-mean:statistics=running")
ROWS = (
    PLAIN,
    reading("alpha-1", PLAIN, head=fixed_scale(1.0)),
    reading("alpha-3", PLAIN, head=fixed_scale(3.0)),
    reading("alpha-20", PLAIN, head=fixed_scale(20.0)),
    reading("alpha-learned", PLAIN, head=f"euclidean:scale={ALPHA}"),
    reading("squared-learned", PLAIN, head="squared-euclidean"),
    reading("three-pools", PLAIN, extractor="resnet12:width=16,max_pools=3"),
    reading("pixels-255", PLAIN, extractor="resnet12:width=16,pixel_scale=255"),
    reading("balanced-queries", PLAIN, query_draw="balanced"),
    reading("crops-one-offset", PLAIN, augmentation="flip-crop-diagonal"),
    reading("crops", PLAIN, augmentation="flip-crop"),
    CO_TRAINED,
    reading("at-instead", CO_TRAINED, auxiliary="instead"),
    CONDITIONED,
    RUNNING,
    reading("tc-uncounted", CONDITIONED, encoder="prototype-mean:statistics=uncounted"),
    Row("tc-decay-20", conditioned(BASE, DECAYS), TESTS, CONDITIONED.name),
    reading("tc-shared", RUNNING, generator="shared"),
    reading("tc-discriminative", CONDITIONED, generator="shared", encoder="discriminative"),
)
RECIPE = Recipe("tadam_readings", ROWS)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
