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
statistics in training too (the encoder's `statistics=running`); and at 41.9 and 42.8 where the
nets' matrices and the multipliers both decay by 5 and by 20. So here it is 20, which leaves next to
nothing of the conditioning (`gamma_beta_depth` measures it): the rows with it tell how trainings
vary, not what it does. They answer which part helps for the other rows alone. `tadam_readings` and
`task_swap` say what weaker decay, other encoders and another generator do. Trained as in the
paper's text, rows with conditioning had been put to the test classes before (seed 0: 44.6 without
co-training, 46.0 with it).

The rows in bfloat16 are the others over again, to see whether accuracy moves; a device that cannot
compute in it leaves them out.

--published has the paper's network, optimizer and schedule, for a GPU, and writes to another
folder. There, as in the paper, rows without co-training have twice the steps; here all have as many
on tasks.

Where paper and code disagree, a field of Config or an option of its choice decides; here
- the extractor's max_pools: four (paper), three (code: --published);
- the head's scale: learned=no (code), since the paper's "learnable" is not what ran, at the 7.5
  that its authors chose among a few; --alphas chooses anew;
- auxiliary: in addition to the step on tasks (code), not instead of it (paper), so that every row
  has as many steps on tasks;
- the extractor's pixel_scale: 1, not the code's 255; a batch norm follows the first convolution;
- augmentation: none, as in the code's default;
- the encoder's statistics: counted, as in the code;
- query_draw: uniform, as in the code: 30 queries a task, where 32 were drawn.
What differs besides: the paper tests 500 tasks with 100 queries drawn uniformly, after each of ten
trainings; the images behind the figures in results/ had gone through JPEG of quality 95; batch
norm's momentum and epsilon are torch's; co-training batches come from all training images, not nine
tenths, and share the optimizer's momentum; support set and queries pass the conditioned network
together; where gradients are clipped (--published), it is by their total norm.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from recipe import Options, Recipe, Row, ended, run_rows, shortened, tasks, with_options

import fewshot_film as ff
from fewshot_film.base.device import has_bfloat16
from fewshot_film.config.config import Config
from fewshot_film.errors import UsageError
from fewshot_film.parts.optimizer import OPTIMIZERS
from fewshot_film.runs.selection import choose_by_validation


def fixed_scale(scale: float) -> str:
    """The head with a metric scale, TADAM's alpha, that is not learned."""
    return f"euclidean:scale={scale},learned=no"


PUBLISHED = ff.default_config(
    "fc100",
    adapter="none",
    extractor="resnet12:width=64,max_pools=3",
    head=fixed_scale(1.0),
    shot=5,
    query=6,
    query_draw="uniform",
    tasks=2,
    augmentation="none",
    steps=10_000,
    optimizer="sgd:decay=0.0005",
    schedule="drops",
    learning_rate=0.1,
    clip_norm=1.0,
    validate_every=500,
)
NARROW = replace(
    PUBLISHED,
    extractor="resnet12:width=16,max_pools=4",
    steps=2000,
    optimizer="adamw:decay=0.05",
    schedule="cosine",
    learning_rate=4e-3,
    clip_norm=None,
)
PUBLISHED_DECAYS = {"multiplier_decay": 0.01}
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
        alpha_value = chosen_alpha(name, longer, choices)
        return ablation(name, longer, PUBLISHED.steps, PUBLISHED_DECAYS, alpha_value)
    return narrow(chosen_alpha("tadam_ablation", NARROW, choices))


def narrow(alpha_value: float = ALPHA) -> Recipe:
    """The default rows, and each of those without conditioning again in bfloat16."""
    made = ablation("tadam_ablation", NARROW, NARROW.steps, DECAYS, alpha_value)
    again = (in_bfloat16(row) for row in made.rows if row.config.adapter == "none")
    return replace(made, rows=(*made.rows, *again))


def in_bfloat16(row: Row) -> Row:
    """The same row in half the precision, compared with it: does its accuracy move?"""
    config = replace(row.config, precision="bfloat16")
    return replace(row, name=f"{row.name}-bfloat16", config=config, compared_with=row.name)


def ablation(
    name: str,
    base: Config,
    at_steps: int,
    decays: Mapping[str, float],
    alpha_value: float = ALPHA,
) -> Recipe:
    """The five rows of the table, each compared with the one that it adds a part to.

    Rows with co-training have `at_steps` steps, the others those of `base`; `decays` are of the
    generator, in the rows with task conditioning.
    """
    alpha = replace(base, head=fixed_scale(alpha_value))
    at = replace(alpha, auxiliary="addition", steps=at_steps)
    tests = (tasks(5, base.shot, query=20),)
    return Recipe(
        name,
        (
            Row("plain", base, tests),
            Row("alpha", alpha, tests, "plain"),
            Row("alpha-at", at, tests, "alpha"),
            Row("alpha-tc", conditioned(alpha, decays), tests, "alpha"),
            Row("alpha-at-tc", conditioned(at, decays), tests, "alpha-at"),
        ),
    )


def conditioned(config: Config, decays: Mapping[str, float]) -> Config:
    """The same with TADAM's task conditioning; `decays` are of its generator."""
    optimizer = with_options(OPTIMIZERS, config.optimizer, **decays)
    return replace(config, adapter="learned", generator="per-site", optimizer=optimizer)


def chosen_alpha(name: str, base: Config, choices: Choices) -> float:
    """The one of `alphas` that validates best, without co-training or conditioning."""
    if len(choices.alphas) == 1:
        return choices.alphas[0]
    values = {f"alpha-{value}": value for value in choices.alphas}
    trained = (Row(n, replace(base, head=fixed_scale(v)), ()) for n, v in values.items())
    recipe = Recipe(name, tuple(trained))
    candidates = {r.name: r.config for r in (shortened(recipe) if choices.quick else recipe).rows}
    out = choices.runs_of(name) / "alphas"
    best = choose_by_validation(candidates, out, choices.machine).path.name
    print(f"chosen on validation classes: {best}", flush=True)
    return values[best]


def able(recipe: Recipe, choices: Choices) -> Choices:
    """The same, without rows in bfloat16 where they would be trained in float32 all the same."""
    low = {row.name for row in recipe.rows if row.config.precision == "bfloat16"}
    if not low or has_bfloat16(choices.machine.place):
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
