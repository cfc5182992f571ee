"""Train the model "photos" that ships with the package: `python experiments/photos.py`.

EfficientNet-Lite0, pretrained on ImageNet and frozen, with what its stages read and a neck that
learns of that, FiLM at the neck, which a support set decides by what separates its classes, and
logistic regression; a task whose own support set does not speak for its parameters goes without. It
learns from CIFAR-100 and Omniglot, in tasks of many kinds: objects, characters, attributes that
photographs are given, and random operations on them. Every choice was made on validation classes;
how much the support set must say by `photos_caution.py`, after training.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import show_tests
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config

CAUTIOUS = "safe:margin=-0.32,apart=0.3"
TESTS = (tasks(shot=3, query=3, episodes=500, dataset="photo-attributes"),)
BASE = default_config(
    "photos",
    adapter="safe",
    steps=4000,
    validate_every=500,
    validation_episodes=300,
)
MODEL = Row(
    "photos",
    BASE,
    TESTS,
    compared_with="frozen",
    training="photos",
    variant=f"@{CAUTIOUS}",
    home="photos",
)
FROZEN = replace(MODEL, name="frozen", variant="@frozen", compared_with=None)
ALWAYS = replace(MODEL, name="always", variant="@safe:margin=1")
RECIPE = Recipe("photos", (FROZEN, MODEL, ALWAYS), show_tests.summary, show_tests.figure)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
