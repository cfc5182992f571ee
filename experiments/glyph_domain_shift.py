"""Adaptive batch norm on looks never seen: `python experiments/glyph_domain_shift.py`.

Source: the question of Li et al., Adaptive batch normalization (2018), put to few-shot tasks: a
prototypical network is trained on solid glyphs alone and tested on scripts that it never saw, in
the seven other renderings and in typefaces that are new. Everything it needs ships with the
package.
Protocol: glyphs of 28x28, the split by script; 5-way tasks whose images share a rendering, 1-shot
and 5-shot with 6 queries a class, 600 episodes, trained on 10-way 1-shot tasks; for the typefaces
1-shot with 3 queries. Every row of a domain is put to the same episodes and compared with the
network as it is.

Rows: `none`, the network as it is; `support`, batch norm's statistics of the support set; `domain`,
of 4,096 images of training scripts in the tested rendering, without labels; `query`, of support
and queries together, which is transductive and stands apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import show_domains
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks
from rows import Result
from show import Differences

import fewshot_film as ff
from fewshot_film.config.protocol import Question
from fewshot_film.data.sets.glyphs.renderings import RENDERINGS

BASE = ff.default_config(
    "glyphs-renderings",
    adapter="none",
    train_domains="solid",
    test_domains=",".join(RENDERINGS[1:]),
    way=10,
    tasks=4,
    steps=1500,
    validate_every=500,
)
VARIANTS = {"support": "@adabn", "domain": "@adabn-domain", "query": "@adabn-query"}


def rows_of(domain: str, tests: tuple[Question, ...], variants: Sequence[str]) -> list[Row]:
    """The one training, put to a domain as it is and adapted."""
    name = domain.replace(" ", "-")
    own = Row(f"{name}-none", BASE, tests, training="solid")
    adapted = replace(own, compared_with=own.name)
    return [own, *(replace(adapted, name=f"{name}-{v}", variant=VARIANTS[v]) for v in variants)]


DOMAIN_ROWS = [
    row
    for name in RENDERINGS[1:]
    for row in rows_of(name, tuple(tasks(5, k, 6, 600, name) for k in (1, 5)), list(VARIANTS))
]
FACE_ROWS = rows_of(
    "new typefaces",
    (tasks(5, 1, 3, 600, "new typefaces", "glyphs-new-typefaces"),),
    ["support", "query"],
)
COLUMNS = {"inductive": ("support", "domain"), "transductive": ("query",)}


def summary(results: Sequence[Result], differences: Differences) -> str:
    return show_domains.summary(results, differences, COLUMNS)


def figure(results: Sequence[Result]) -> bytes:
    return show_domains.figure(results, COLUMNS)


RECIPE = Recipe("glyph_domain_shift", (*DOMAIN_ROWS, *FACE_ROWS), summary, figure)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
