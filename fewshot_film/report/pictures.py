"""Pictures of a run: its curves, and real episodes with what was predicted."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray
from torch import Tensor

from fewshot_film.base.modes import evaluating
from fewshot_film.measure.paired import ci95
from fewshot_film.model.classifier import Classifier
from fewshot_film.report.tables import protocol_lines
from fewshot_film.runs.report import Report, present_groups
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.numbered import numbered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BORDER = 2
GREEN, RED, GREY = (40, 160, 70), (215, 50, 45), (170, 170, 170)

Picture = UInt8[ndarray, "rows columns 3"]


def can_draw() -> bool:
    """Whether matplotlib, of the plot extra, is there."""
    return importlib.util.find_spec("matplotlib") is not None


def curves(metrics: Sequence[dict[str, Any]]) -> bytes:
    """metrics.jsonl -> a PNG of loss and accuracy by step, validation with its intervals."""
    figure = _figure(10.0, 3.6)
    steps = [record for record in metrics if "loss" in record]
    checks = [record for record in metrics if "val_accuracy" in record]
    loss, accuracy = figure.subplots(1, 2)
    loss.plot([r["step"] for r in steps], [r["loss"] for r in steps], color="0.4", lw=0.8)
    loss.set(xlabel="step", ylabel="training loss", yscale="log")
    tasks = [record for record in steps if "accuracy" in record]
    x, y = [r["step"] for r in tasks], [100 * r["accuracy"] for r in tasks]
    accuracy.plot(x, y, color="0.75", lw=0.8, label="training tasks")
    x, y = [r["step"] for r in checks], [100 * r["val_accuracy"] for r in checks]
    bars = [100 * r["val_ci95"] for r in checks]
    accuracy.errorbar(x, y, bars, fmt="o-", ms=4, capsize=3, label="validation classes (95%)")
    accuracy.set(xlabel="step", ylabel="accuracy (%)")
    accuracy.legend(frameon=False, loc="lower right")
    return _png(figure)


def episodes(classifier: Classifier, sampler: Sampler, seed: int) -> bytes:
    """Up to six test tasks, of different groups -> a PNG of support sets, queries and answers."""
    chosen = _tasks_to_show(sampler, seed)
    columns = 3
    rows = -(-len(chosen) // columns)
    figure = _figure(4.0 * columns, 0.4 + 2.9 * rows)
    figure.suptitle("One class a row: support set, then queries (green right, red wrong)")
    axes = np.atleast_1d(figure.subplots(rows, columns)).flatten()
    for axis in axes:
        axis.axis("off")
    for axis, episode in zip(axes, chosen, strict=False):
        predicted = _predict(classifier, episode)
        right = int((predicted == episode.query.labels[0].cpu()).sum())
        axis.imshow(_episode(episode, predicted), interpolation="nearest")
        group = sampler.groups[int(episode.group)]
        axis.set_title(f"{group}: {right} of {len(predicted)} right", fontsize=9)
    return _png(figure)


def _tasks_to_show(sampler: Sampler, seed: int) -> list[Episode]:
    """The first tasks of the test if all are of one kind; else the first of up to six kinds."""
    drawn = numbered(sampler, 200, seed)
    if len(sampler.groups) == 1:
        return list(islice(drawn, 3))
    kinds = np.linspace(0, len(sampler.groups) - 1, 6).round().astype(int).tolist()
    chosen: dict[int, Episode] = {}
    for episode in drawn:
        if int(episode.group) in kinds:
            chosen.setdefault(int(episode.group), episode)
        if len(chosen) == len(set(kinds)):
            break
    return [chosen[kind] for kind in sorted(chosen)]


def comparison_bars(reports: Sequence[Report]) -> bytes:
    """Reports of one protocol -> a PNG of each run's accuracy by kind of task."""
    names = present_groups(reports[0].evaluation)
    figure = _figure(max(8.0, 1.2 + 0.9 * len(names)), 3.8)
    axis = figure.subplots()
    width = 0.8 / len(reports)
    for i, report in enumerate(reports):
        values = [100 * report.evaluation.of_group(name) for name in names]
        x = np.arange(len(names)) + (i - (len(reports) - 1) / 2) * width
        means, bars = [v.mean() for v in values], [ci95(v) for v in values]
        axis.bar(x, means, width, yerr=bars, capsize=2, label=Path(report.label).name)
    axis.axhline(100 / reports[0].protocol.way, color="0.5", lw=0.8, ls="--", label="chance")
    axis.set_xticks(range(len(names)), names, rotation=25, ha="right")
    axis.set(ylabel="accuracy (%)", ylim=(0, 105))
    axis.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axis.set_xlabel("\n".join(protocol_lines(reports)), fontsize=7)
    return _png(figure)


def _predict(classifier: Classifier, episode: Episode) -> Int64[Tensor, " query"]:
    device = next(classifier.parameters()).device
    with evaluating(classifier):
        return classifier(episode.to(device)).argmax(2)[0].cpu()


def _episode(episode: Episode, predicted: Int64[Tensor, " query"]) -> Picture:
    """Support tiles, a gap, query tiles framed by whether they were classified correctly."""
    labels = episode.query.labels[0].cpu()
    frames = [GREEN if p == t else RED for p, t in zip(predicted, labels, strict=True)]
    support = _grid(episode.support, episode.way, [GREY] * episode.support.labels.shape[1])
    query = _grid(episode.query, episode.way, frames)
    gap = np.full((len(support), 12, 3), 255, np.uint8)
    return np.concatenate([support, gap, query], axis=1)


def _grid(labeled: LabeledSet, way: int, frames: Sequence[tuple[int, int, int]]) -> Picture:
    """One row of framed tiles for each class."""
    images = (labeled.images[0].cpu() * 255).round().byte().expand(-1, 3, -1, -1)
    labels = labeled.labels[0].cpu()
    tiles = [_framed(image, frame) for image, frame in zip(images, frames, strict=True)]
    rows = [[tiles[i] for i in (labels == c).nonzero().flatten().tolist()] for c in range(way)]
    blank = np.full_like(tiles[0], 255)
    longest = max(len(row) for row in rows)
    rows = [row + [blank] * (longest - len(row)) for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def _framed(image: UInt8[Tensor, "3 height width"], colour: tuple[int, int, int]) -> Picture:
    _, height, width = image.shape
    tile = np.empty((height + 2 * BORDER, width + 2 * BORDER, 3), np.uint8)
    tile[:] = colour
    tile[BORDER:-BORDER, BORDER:-BORDER] = image.permute(1, 2, 0).numpy()
    return tile


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # the plot extra, loaded when a picture is asked for

    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
