"""How many images adaptive batch norm needs: `python experiments/adabn_sample_count.py`.

Source: Li et al., Adaptive batch normalization (2018), the figure of accuracy by number of target
images; there, on Office-31 from A to W, 16 and 32 images were worse than none (65.2 and 66.1
against 70.3 %), and one batch of 64 was better.
Protocol: the trainings of `adabn_digits`, which are made if they are not there. From 1 to 4,096
images of the target's training part, without labels, drawn five times; each time 10-way tasks of 10
queries a class on the target's test part, 50 episodes, the same ones always, inductive.

What differs from the source: digits and Conv-4 in place of photographs and Inception-BN.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rows
import torch
import tyro
from adabn_digits import RECIPE
from numpy import ndarray
from recipe import Options, ended, shortened
from show import png

from fewshot_film.base.files import write_atomic
from fewshot_film.base.provenance import environment
from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.config.stored import to_values
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.paired import ci95
from fewshot_film.parts.adaptation import AdaptiveBatchNorm
from fewshot_film.report.tables import percent, table
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit
from fewshot_film.runs.trial import Trial, trial
from fewshot_film.runs.variants import statistics_of

PAIRS = (("mnist", "usps"), ("usps", "mnist"), ("mnist", "mnist-m"), ("svhn", "mnist"))
COUNTS = tuple(2**k for k in range(13))
DRAWS = 5

ASKED = Question(shot=1, query=10, episodes=50)

Curve = dict[str, Any]
"""A pair and seed: accuracy as it is and, (count, draw), adapted."""


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    counts: tuple[int, ...] = COUNTS
    draws: int = DRAWS
    question: Question = ASKED


NOTE = (
    "Columns: from how many images of the target its statistics are; the mean over draws and "
    "seeds, with the mean of each seed's 95% interval over episodes."
)
QUICK = Amount((1, 8), 2, Question(way=2, shot=1, query=1, episodes=2))


def main(options: Options) -> int:
    return ended("adabn_sample_count", lambda: measure(options))


def measure(options: Options) -> Path:
    """Every pair and seed -> its curve, as JSON when it is measured; table and figure of all."""
    if options.rows or not options.seeds:
        raise UsageError("adabn_sample_count takes at least one of --seeds, and no --rows")
    amount = QUICK if options.quick else Amount()
    out = options.results_of("adabn_sample_count")
    out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for source, target in PAIRS:
            file = out / f"{source}-{target}-{seed}.json"
            config = config_of(source, seed, options)
            if file.exists():
                check_same(file, config, amount)
            else:
                print(f"{source} to {target}, seed {seed}", flush=True)
                run = fit(config, folder_of(source, seed, options), options.machine, resume=True)
                content = {"seed": seed, **curve(run, source, target, amount, options)}
                write_atomic(file, (json.dumps(content, indent=1) + "\n").encode())
    curves = [json.loads(file.read_text()) for file in sorted(out.glob("*-*-*.json"))]
    write_atomic(out / "table.md", (summary(curves, amount.counts) + "\n").encode())
    write_atomic(out / "figure.png", figure(curves, amount.counts))
    return out


def config_of(source: str, seed: int, options: Options) -> Config:
    """The training of `adabn_digits` that learns from this domain."""
    recipe = shortened(RECIPE) if options.quick else RECIPE
    config = next(row.config for row in recipe.rows if row.training == source)
    return replace(config, seed=seed)


def folder_of(source: str, seed: int, options: Options) -> Path:
    """Where `adabn_digits` has its run."""
    return options.runs_of(RECIPE.name) / f"{source}-{seed}"


def check_same(file: Path, config: Config, amount: Amount) -> None:
    """A curve of another training or of other counts is not put beside these."""
    content = json.loads(file.read_text())
    old = rows.stored_config(file, content, config.seed)
    asked = amount.question.episodes
    rows.refuse_other(
        file,
        old | {"counts": content["counts"], "test episodes": content["protocol"]["episodes"]},
        asdict(config) | {"counts": list(amount.counts), "test episodes": asked},
    )


def curve(run: Run, source: str, target: str, amount: Amount, options: Options) -> Curve:
    """One network on one target: as it is, and after so many images."""
    question = replace(amount.question, domains=target)
    problem = problem_of(run.config(), options.machine.root)
    put = trial(run.path, question, options.machine, problem=problem)
    images = target_images(problem, target)
    adapted = [
        [accuracies(put, some(images, count, draw)) for draw in range(amount.draws)]
        for count in amount.counts
    ]
    own = accuracies(put, None)
    return {
        "source": source,
        "target": target,
        "counts": amount.counts,
        "own": float(own.mean()),
        "own_ci95": ci95(own),
        "adapted": [[float(a.mean()) for a in draws] for draws in adapted],
        "ci95": [ci95(np.mean(draws, axis=0)) for draws in adapted],
        "protocol": asdict(put.protocol),
        "config": to_values(run.config()),
        "trained": run.environments(),
        "tested": environment(options.machine.place),
    }


def target_images(problem: Problem, target: str) -> ImageSet:
    """The target's training part, of which labels are not looked at."""
    return problem.images("train", (target,))


def some(images: ImageSet, count: int, draw: int) -> ImageSet:
    """`count` of the images, the same ones for the same draw, a smaller count among a larger."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(draw))
    return images.of_images(order[:count])


def accuracies(put: Trial, images: ImageSet | None) -> ndarray:
    """Each episode's accuracy after adaptation to these images, or as the network is."""
    classifier, asked = put.classifier, put.protocol
    if images is not None:
        statistics = statistics_of(classifier.features.extractor, images)
        classifier = classifier.with_adapter(AdaptiveBatchNorm(statistics)).eval()
    return evaluate(classifier, put.sampler, asked.episodes, seed=asked.seed).accuracies


def summary(curves: Sequence[Curve], counts: Sequence[int]) -> str:
    """One line a pair: as it is, and the mean over draws and seeds for every number of images."""
    rows = [["source", "target", "as it is (%)", *map(str, counts)]]
    for (source, target), own in by_pair(curves).items():
        mean, interval = np.mean([c["adapted"] for c in own], axis=(0, 2)), averaged(own, "ci95")
        base = percent(float(averaged(own, "own")), float(averaged(own, "own_ci95")))
        cells = zip(mean, interval, strict=True)
        rows.append([source, target, base, *(f"{100 * m:.1f} ± {100 * i:.1f}" for m, i in cells)])
    return f"{table(rows)}\n\n{NOTE}\n\n- {Protocol(**curves[0]['protocol'])}, and so on"


def averaged(curves: Sequence[Curve], name: str) -> ndarray:
    """The mean of a figure over seeds."""
    return np.mean([c[name] for c in curves], axis=0)


def by_pair(curves: Sequence[Curve]) -> Mapping[tuple[str, str], list[Curve]]:
    """(source, target) -> the curves of its seeds."""
    pairs: dict[tuple[str, str], list[Curve]] = {}
    for one in curves:
        pairs.setdefault((one["source"], one["target"]), []).append(one)
    return pairs


def figure(curves: Sequence[Curve], counts: Sequence[int]) -> bytes:
    """A panel a pair: the mean and the range over draws and seeds, and the network as it is."""
    from matplotlib.figure import Figure

    pairs = by_pair(curves)
    drawn = Figure(figsize=(12.0, 3.4), layout="constrained", dpi=110)
    axes = drawn.subplots(1, len(pairs), squeeze=False)[0]
    for axis, ((source, target), own) in zip(axes, pairs.items(), strict=True):
        values = 100 * np.concatenate([c["adapted"] for c in own], axis=1)
        axis.plot(counts, values.mean(1), "o-", ms=3, label="adaptive batch norm")
        axis.fill_between(counts, values.min(1), values.max(1), alpha=0.2)
        base = 100 * float(np.mean([c["own"] for c in own]))
        axis.axhline(base, color="0.4", ls="--", label="as it is")
        axis.set(title=f"{source} to {target}", xlabel="images of the target", xscale="log")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy (%)")
    axes[0].legend(frameon=False, fontsize=8)
    return png(drawn)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
