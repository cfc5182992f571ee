"""Train the model "photos" that ships with the package: `python experiments/photos.py`.

EfficientNet-Lite0, pretrained on ImageNet and frozen, with a neck that reads its stages and FiLM at
the neck, which a support set decides by what separates its classes; a task whose own support set
is told no better for it goes without. It learns from CIFAR-100 and
Omniglot, in tasks of many kinds: objects, characters, attributes that photographs are given, and
random operations on them. Every choice was made on validation classes.
"""

from __future__ import annotations

import sys

import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config

TESTS = (tasks(shot=3, query=3, episodes=500, dataset="photo-attributes"),)
BASE = default_config(
    "photos",
    adapter="safe",
    steps=4000,
    validate_every=500,
    validation_episodes=300,
)
MODEL = Row("photos", BASE, TESTS, compared_with="frozen", home="photos")
FROZEN = Row("frozen", BASE, TESTS, training="photos", variant="@frozen")
RECIPE = Recipe("photos", (FROZEN, MODEL))

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
