"""One network, many questions: `python experiments/photo_attributes.py`.

Photographs of classes that no training saw, each of a random hue, turned, shrunk, moved and
blurred; only the support set tells whether the class or one of these five is the label. A frozen
network pretrained on ImageNet was taught to ignore most of them. Beside it stands a neck that reads
its stages: alone, with one FiLM for all tasks, with FiLM that the support set decides, and with
FiLM that is told what is asked, which no method can know. Controls take the parameters of the same
images asked for something else, of labels dealt out anew, or of another task.

Protocol: EfficientNet-Lite0 at 128 pixels (pretrained on ImageNet, whose classes are among those
tested); 38 classes of CIFAR-100 to learn from, 23 others to validate on, the 20 of CIFAR-FS's test;
5-way 3-shot, 3 queries a class; the same 500 tasks for all. Also at levels of the factors in
between, and on Office-Caltech10, no picture of which was trained on.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import controls
import show_tests
import told
import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import suited

OFFICE = "amazon,caltech,dslr,webcam"
TESTS = (
    tasks(shot=3, query=3, episodes=500),
    tasks(shot=3, query=3, episodes=500, dataset="photo-attributes-new-levels"),
    tasks(shot=3, query=3, episodes=300, dataset="office-attributes", domains=OFFICE),
)
CONTROLS = (controls.OTHER_QUESTION, controls.SHUFFLED, controls.ANOTHER, "safe")
BASE = default_config("photo-attributes", steps=2000, validate_every=500, test_episodes=500)
CONTRAST = Row("contrast", BASE, TESTS, compared_with="frozen")
RIDGE = replace(CONTRAST, name="contrast-ridge", config=replace(BASE, head="ridge"))


def beside(name: str, **choices: str) -> Row:
    """A row that differs in how the support set adapts the network."""
    return replace(CONTRAST, name=name, config=suited(BASE, **choices))


def control(adapter: str) -> Row:
    """The training of `contrast` with other parameters."""
    return replace(CONTRAST, name=adapter, variant=f"@{adapter}", training="contrast")


FROZEN = replace(CONTRAST, name="frozen", training="contrast", variant="@frozen")
RECIPE = Recipe(
    "photo_attributes",
    (
        replace(FROZEN, compared_with=None),
        replace(FROZEN, name="frozen-ridge", config=RIDGE.config, training="contrast-ridge"),
        beside("neck", adapter="none"),
        beside("constant", adapter="constant"),
        CONTRAST,
        RIDGE,
        beside("told", encoder=told.NAME),
        *map(control, CONTROLS),
    ),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
