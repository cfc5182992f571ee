"""A pretrained network on objects: `python experiments/pretrained_objects.py`.

What the shipped model "photos" is worth where every task asks for the object, beside the network
that it stands on, with every head; `photos-plain` has the same head and stages, and no parameters.
No picture of PACS or Office-Caltech10, and no class that is tested here, was trained on or chosen
by.

Protocol: EfficientNet-Lite0 at 128 pixels, two rows at 224, pretrained on ImageNet, whose classes
are among those tested; 5-way; the same 600 tasks for all, those on PACS and Office-Caltech10 in one
domain each.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import show_tests
import tyro
from photos import MODEL
from recipe import Options, Recipe, Row, run_recipe, tasks

from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import suited
from fewshot_film.config.protocol import Question

EPISODES = 600
STYLES = ("art_painting", "cartoon", "photo", "sketch")
PLACES = ("amazon", "caltech", "dslr", "webcam")


def tests() -> tuple[Question, ...]:
    """Every set, and every domain of two of them, with one, five and ten shots."""
    sets = ("cifar-fs", "fc100", "omniglot-upright")
    domains = {"pacs": STYLES, "office-caltech10": PLACES}
    shown = {"cifar-fs": (1, 5, 10), "pacs": (1, 5, 10)}
    found = [
        tasks(shot=shot, query=5, episodes=EPISODES, dataset=name)
        for name in sets
        for shot in (1, 5, 10)
    ]
    for name, parts in domains.items():
        for domain in parts:
            # the smallest class of dslr holds eight pictures
            shots = shown.get(name, (1, 5))
            query = 5 if name == "pacs" else 3
            found += [
                tasks(shot=n, query=query, episodes=EPISODES, dataset=name, domains=domain)
                for n in shots
            ]
    return tuple(found)


# nothing of it is trained but the head's scale, which decides nothing
FROZEN = Row(
    "frozen",
    suited(
        MODEL.config,
        adapter="frozen",
        head="cosine",
        extractor=default_config("photo-attributes").extractor,
        steps=1,
    ),
    tests(),
    home="pretrained_objects",
)


def with_head(head: str) -> Row:
    """The frozen network with another head."""
    config = replace(FROZEN.config, head=head)
    return replace(FROZEN, name=f"frozen-{head}", config=config, compared_with="frozen")


def larger(head: str) -> Row:
    """The frozen network at 224 pixels, on the pictures that are as large."""
    config = default_config(
        "glyphs-characters",  # which a run begins with, and nothing is learned of it
        extractor=FROZEN.config.extractor,
        adapter="frozen",
        head=head,
        size=224,
        steps=1,
        validation_episodes=1,
    )
    large = tuple(test for test in FROZEN.tests if test.domains)
    return Row(f"frozen-{head}-224", config, large, compared_with="frozen")


PHOTOS = replace(MODEL, tests=FROZEN.tests, compared_with="frozen", training="photos")
RECIPE = Recipe(
    "pretrained_objects",
    (
        FROZEN,
        *map(with_head, ("ridge", "logistic", "lda", "mahalanobis", "euclidean")),
        *map(larger, ("cosine", "logistic")),
        replace(PHOTOS, name="photos-plain", variant="@frozen"),
        PHOTOS,
        replace(PHOTOS, name="photos-always", variant="@safe:margin=1"),
    ),
    show_tests.summary,
    show_tests.figure,
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
