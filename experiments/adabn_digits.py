"""Adaptive batch norm between four sets of digits: `python experiments/adabn_digits.py`.

Source: Li et al., Adaptive batch normalization for practical domain adaptation (2018): plain
supervised training on one domain, then another is classified with batch norm's statistics of that
domain. The paper has photographs of objects; digits are the smaller setting of the same kind.
Protocol: MNIST, USPS, SVHN and MNIST-M as 32x32 colour images, all ordered pairs; 10-way tasks of
10 queries a class on the target's test part, 300 episodes, inductive. Every row of a pair is put to
the same episodes and compared with the network as it is, on the mean over seeds.

Rows: `source`, the network as it is; `domain`, statistics of 4,096 images of the target's training
part, without labels; `support`, statistics of the support set alone, 1, 5 and 20 images of each of
the ten digits.

What differs from the source, and why: Conv-4 with 32 channels and AdamW with a cosine over 1,500
batches of 128, which fits minutes on a CPU; no augmentation. MNIST-M's pictures are MNIST's digits
on photographs, so between those two the drawings are the same. SVHN and MNIST-M are the copies that
lie under the data root: balanced subsets of 20,000 images in the figures of results/, where SVHN's
test part comes from a random quarter of the training pictures and is not the official test.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import tyro
from recipe import Options, Recipe, Row, run_recipe, tasks
from rows import Result
from show import Differences, bar_group, png, protocols, signed_by_seed

import fewshot_film as ff
from fewshot_film.report.tables import percent, table

DOMAINS = ("mnist", "usps", "svhn", "mnist-m")
SHOTS = (1, 5, 20)
KINDS = (("source", 1), ("domain", 1), *(("support", shot) for shot in SHOTS))
BASE = ff.default_config(
    "digits",
    objective="classify:images=128",
    adapter="none",
    extractor="conv4:width=32",
    tasks=1,
    steps=1500,
    test_way=10,
    query=10,
    validate_every=500,
    validation_episodes=100,
)


def rows_of(source: str) -> list[Row]:
    """One training, put to the three other domains as it is and adapted."""
    targets = tuple(name for name in DOMAINS if name != source)
    config = replace(BASE, train_domains=source, test_domains=",".join(targets))
    rows = []
    for target in targets:
        by_shot = [tasks(10, shot, 10, 300, target) for shot in SHOTS]
        own = Row(f"{source}-{target}-source", config, tuple(by_shot), training=source)
        name = f"{source}-{target}"
        adapted = replace(own, name=f"{name}-support", variant="@adabn", compared_with=own.name)
        domain = replace(adapted, name=f"{name}-domain", variant="@adabn-domain")
        rows += [own, replace(domain, tests=own.tests[:1]), adapted]
    return rows


def summary(results: Sequence[Result], differences: Differences) -> str:
    """One line a pair: the network as it is, and what adaptation adds."""
    found = {_name(result): result for result in results}
    changes = {_name(result): differences.get(result.name) for result in results}
    head = ["source", "target", "as it is (%)", "domain", *(f"support, {k}-shot" for k in SHOTS)]
    lines = [head]
    for source in DOMAINS:
        for target in DOMAINS:
            pair = f"{source}-{target}"
            if own := found.get((f"{pair}-source", 1)):
                content = own.content
                adapted = [(f"{pair}-domain", 1), *((f"{pair}-support", k) for k in SHOTS)]
                cells = [signed_by_seed(changes.get(name)) for name in adapted]
                base = percent(content["accuracy"], content["ci95"])
                lines.append([source, target, base, *cells])
    note = "Adaptation: paired difference to the network as it is, in points, and by seed."
    return "\n\n".join([table(lines), note, protocols(results)])


def _name(result: Result) -> tuple[str, int]:
    """Row and shot."""
    return result.content["row"], result.content["protocol"]["shot"]


def figure(results: Sequence[Result]) -> bytes:
    """A panel for each target: accuracy as it is and adapted, a bar group for each source.

    Bars are means over trainings, dots the trainings.
    """
    from matplotlib.figure import Figure

    found = {_name(result): result.content for result in results}
    drawn = Figure(figsize=(12.0, 3.8), layout="constrained", dpi=110)
    for axis, target in zip(drawn.subplots(1, 4, sharey=True), DOMAINS, strict=True):
        sources = [name for name in DOMAINS if name != target]
        for k, (kind, shot) in enumerate(KINDS):
            bars = _bars(found, sources, target, kind, shot)
            label = kind if kind != "support" else f"support, {shot}-shot"
            bar_group(axis, label, 0.16, {i + 0.16 * (k - 2): c for i, c in bars.items()})
        axis.axhline(10, color="0.5", lw=0.8, ls="--")
        axis.set(title=f"to {target}", ylim=(0, 100))
        axis.set_xticks(range(len(sources)), [f"from\n{name}" for name in sources])
    axis.legend(frameon=False, fontsize=7)
    drawn.supylabel("accuracy (%)")
    return png(drawn)


def _bars(
    found: Mapping[tuple[str, int], dict[str, Any]],
    sources: Sequence[str],
    target: str,
    kind: str,
    shot: int,
) -> dict[int, dict[str, Any]]:
    """Place of a source -> the row's content, where there is a result."""
    names = [(f"{source}-{target}-{kind}", shot) for source in sources]
    return {i: found[name] for i, name in enumerate(names) if name in found}


RECIPE = Recipe(
    "adabn_digits", tuple(row for name in DOMAINS for row in rows_of(name)), summary, figure
)

if __name__ == "__main__":
    sys.exit(run_recipe(RECIPE, tyro.cli(Options, description=__doc__)))
