"""TADAM's ablation on FC100: `python experiments/tadam_ablation.py [--published]`.

Source: Oreshkin et al., TADAM (2018), table 2: metric scaling (alpha), auxiliary co-training (AT)
and task conditioning (TC), FC100, 5-way 5-shot.
Protocol: the split of TADAM's own file (its text gives other counts of superclasses), 1,000
episodes of 20 queries a class on test classes, inductive, the same episodes for every row;
differences are paired episode by episode, on the mean over seeds.

The default rows have a narrow ResNet-12 (16 channels where the paper has 64), a short schedule and
AdamW, which validated better in it than SGD, for two CPU cores: they answer which part helps, not
how far it goes. With AdamW the paper's decay, 0.01 of the multipliers alone, does not hold the
generator back. Trained once each (seed 0, not kept but the last), the full row validates at 37.9
then, where without conditioning it has 42.1; at 37.1 with multipliers that decay by 40, since the
nets behind them grow as much as they shrink; at 38.3 where embeddings are normalised by running
statistics in training too (encoder_pass); and at 41.9 and 42.8 where the nets' matrices and the
multipliers both decay by 5 and by 20. So here it is 20, which leaves next to nothing of the
conditioning (`gamma_beta_depth` measures it): the rows with it tell how trainings vary, not what it
does. They answer which part helps for the other rows alone. `tadam_readings` and `task_swap` say
what weaker decay, other encoders and another generator do. Trained as in the paper's text, rows
with conditioning had been put to the test classes before (seed 0: 44.6 without co-training, 46.0
with it).

The rows in bfloat16 are the others over again, to see whether accuracy moves; a device that cannot
compute in it leaves them out.

--published has the paper's network, optimizer and schedule, for a GPU, and writes to another
folder. There, as in the paper, rows without co-training have twice the steps; here all have as many
on tasks.

Where paper and code disagree, a field of Config decides; the default here follows
- max_pools: four (paper), three (code: --published);
- metric_scale: fixed (code), since the paper's "learnable" is not what ran, at the 7.5 that its
  authors chose among a few; --alphas chooses anew;
- auxiliary: in addition to the step on tasks (code), not instead of it (paper), so that every row
  has as many steps on tasks;
- pixel_scale: 1, not the code's 255; a batch norm follows the first convolution;
- augmentation: none, as in the code's default;
- encoder_pass: counted, as in the code;
- query_draw: uniform, as in the code: 30 queries a task, where 32 were drawn.
What differs besides: the paper tests 500 tasks with 100 queries drawn uniformly, after each of ten
trainings; the images behind the figures in results/ had gone through JPEG of quality 95; batch
norm's momentum and epsilon are torch's; co-training batches come from all training images, not nine
tenths, and share the optimizer's momentum; support set and queries pass the conditioned network
together; where gradients are clipped (--published), it is by their total norm.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from recipe import Options, Recipe, Row, Tasks, ended, run_rows, shortened

import fewshot_film as ff
from fewshot_film.base.device import choose_device, has_bfloat16
from fewshot_film.config.config import Config
from fewshot_film.errors import UsageError
from fewshot_film.runs.selection import choose_by_validation

PUBLISHED = replace(
    ff.default_config("fc100"),
    conditioning="none",
    generator="per-site",
    extractor="resnet12",
    width=64,
    max_pools=3,
    similarity="euclidean",
    metric_scale="fixed",
    metric_scale_start=1.0,
    shot=5,
    query=6,
    query_draw="uniform",
    tasks=2,
    augmentation="none",
    steps=10_000,
    optimizer="sgd",
    schedule="drops",
    learning_rate=0.1,
    weight_decay=5e-4,
    multiplier_decay=0.01,
    clip_norm=1.0,
    validate_every=500,
)
NARROW = replace(
    PUBLISHED,
    width=16,
    max_pools=4,
    steps=2000,
    optimizer="adamw",
    schedule="cosine",
    learning_rate=4e-3,
    weight_decay=0.05,
    clip_norm=None,
)
DECAYS = {"generator_decay": 20.0, "multiplier_decay": 20.0}
"""What holds the generator back under AdamW."""
ALPHA = 7.5
"""TADAM's own choice; see its section 4."""


@dataclass(frozen=True)
class Choices(Options):
    """Where and how much to run, and how large."""

    published: bool = False
    """The paper's network, optimizer and schedule, for a GPU."""
    alphas: tuple[float, ...] = (ALPHA,)
    """Fixed metric scales: of several, the one whose training validates best is taken."""


def chosen_recipe(choices: Choices) -> Recipe:
    """The rows that were asked for, once alpha is chosen."""
    if not choices.alphas:
        raise UsageError("--alphas is empty; pass at least one")
    if choices.published:
        name, longer = "tadam_ablation_published", replace(PUBLISHED, steps=2 * PUBLISHED.steps)
        return ablation(name, longer, PUBLISHED.steps, chosen_alpha(name, longer, choices))
    return narrow(chosen_alpha("tadam_ablation", NARROW, choices))


def narrow(alpha_value: float = ALPHA) -> Recipe:
    """The default rows, and each of those without conditioning again in bfloat16."""
    made = ablation("tadam_ablation", NARROW, NARROW.steps, alpha_value, **DECAYS)
    again = (in_bfloat16(row) for row in made.rows if row.config.conditioning == "none")
    return replace(made, rows=(*made.rows, *again))


def in_bfloat16(row: Row) -> Row:
    """The same row in half the precision, compared with it: does its accuracy move?"""
    config = replace(row.config, precision="bfloat16")
    return replace(row, name=f"{row.name}-bfloat16", config=config, compared_with=row.name)


def ablation(
    name: str, base: Config, at_steps: int, alpha_value: float = ALPHA, **conditioned: float
) -> Recipe:
    """The five rows of the table, each compared with the one that it adds a part to.

    Rows with co-training have `at_steps` steps, the others those of `base`; `conditioned` are
    fields of the rows with task conditioning.
    """
    alpha = replace(base, metric_scale_start=alpha_value)
    at = replace(alpha, auxiliary="addition", steps=at_steps)
    tests = (Tasks(5, base.shot, query=20),)
    film: dict[str, Any] = {"conditioning": "film", **conditioned}
    return Recipe(
        name,
        (
            Row("plain", base, tests),
            Row("alpha", alpha, tests, "plain"),
            Row("alpha-at", at, tests, "alpha"),
            Row("alpha-tc", replace(alpha, **film), tests, "alpha"),
            Row("alpha-at-tc", replace(at, **film), tests, "alpha-at"),
        ),
    )


def chosen_alpha(name: str, base: Config, choices: Choices) -> float:
    """The one of `alphas` that validates best, without co-training or conditioning."""
    if len(choices.alphas) == 1:
        return choices.alphas[0]
    values = {f"alpha-{value}": value for value in choices.alphas}
    trained = (Row(n, replace(base, metric_scale_start=v), ()) for n, v in values.items())
    recipe = Recipe(name, tuple(trained))
    candidates = {r.name: r.config for r in (shortened(recipe) if choices.quick else recipe).rows}
    out = choices.runs_of(name) / "alphas"
    best = choose_by_validation(candidates, out, **choices.place()).path.name
    print(f"chosen on validation classes: {best}", flush=True)
    return values[best]


def able(recipe: Recipe, choices: Choices) -> Choices:
    """The same, without rows in bfloat16 where they would be trained in float32 all the same."""
    low = {row.name for row in recipe.rows if row.config.precision == "bfloat16"}
    if not low or has_bfloat16(choose_device(choices.device)):
        return choices
    if asked := sorted(low & set(choices.rows)):
        raise UsageError(
            f"--rows {asked[0]}: --device {choices.device} does not compute in bfloat16; leave it "
            "out, or take another device"
        )
    names = choices.rows or tuple(row.name for row in recipe.rows if row.name not in low)
    return replace(choices, rows=names)


def run(choices: Choices) -> Path:
    """Choose alpha, then train and test the rows -> the folder of their results."""
    recipe = chosen_recipe(choices)
    return run_rows(recipe, able(recipe, choices))


def main(choices: Choices) -> int:
    return ended("tadam_ablation", lambda: run(choices))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Choices, description=__doc__)))
