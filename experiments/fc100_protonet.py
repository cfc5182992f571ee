"""FC100, prototypical network with Conv-4: `python experiments/fc100_protonet.py`."""

from __future__ import annotations

import sys
from dataclasses import replace

import tyro
from recipe import Options, Recipe, Row, Tasks, run_recipe

import fewshot_film as ff

FIVE_SHOT = replace(
    ff.default_config("fc100"),
    conditioning="none",
    way=10,
    tasks=1,
    steps=6000,
    learning_rate=4e-3,
    weight_decay=0.05,
    validate_every=1000,
    precision="bfloat16",
)
ROWS = (
    Row("one-shot", replace(FIVE_SHOT, shot=1), (Tasks(5, 1),)),
    Row("five-shot", FIVE_SHOT, (Tasks(5, 5),)),
)
RECIPE = Recipe("fc100_protonet", ROWS)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
