"""The transductivity audit: does an answer depend on which other queries are asked?

A model whose batch norm takes its statistics from the queries looks far better than it is: with
balanced, jointly presented queries MAML on Omniglot scores 98.4 %, one query at a time 21.6 %
(Bronskill et al., TaskNorm, 2020, table 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy import ndarray
from torch import Tensor
from tqdm import tqdm

from fewshot_film.base.modes import evaluating
from fewshot_film.measure.paired import ci95
from fewshot_film.measure.sanity import check_finite
from fewshot_film.model.classifier import Classifier
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.numbered import numbered

TOLERANCE = 1e-3
"""Logits that differ by less, on the scale of the largest, differ by rounding alone."""


@dataclass(frozen=True, eq=False)
class Audit:
    """Accuracies of the same episodes with queries together, one by one, and by class.

    `moved` is the largest difference of a logit between the three ways of asking, on the scale of
    the episode's largest logit; `changed` the share of queries answered otherwise in one of them.
    """

    together: Float64[ndarray, " episode"]
    one_by_one: Float64[ndarray, " episode"]
    by_class: Float64[ndarray, " episode"]
    moved: float
    changed: float

    @property
    def transductive(self) -> bool:
        """Whether answers depend on the other queries."""
        return self.moved > TOLERANCE

    def verdict(self) -> str:
        """What the audit found, as a sentence."""
        if not self.transductive:
            return "inductive: no answer depends on the other queries"
        return (
            f"transductive: answers depend on the other queries ({self.changed:.1%} of them change "
            "with how they are asked); do not compare its accuracy with an inductive one's"
        )

    def rows(self) -> list[tuple[str, float, float]]:
        """(how the queries are asked, mean accuracy, half its 95% interval)."""
        ways = {
            "all together": self.together,
            "one by one": self.one_by_one,
            "one class at a time": self.by_class,
        }
        return [(name, float(values.mean()), ci95(values)) for name, values in ways.items()]


def audit(
    classifier: Classifier,
    sampler: Sampler,
    episodes: int,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Audit:
    """(classifier, sampler, seed) -> its Audit on the first test episodes of the seed."""
    device = next(classifier.parameters()).device
    accuracies, moved, changed = [], 0.0, []
    with evaluating(classifier):
        drawn = numbered(sampler, episodes, seed)
        bar = tqdm(drawn, "audit", episodes, unit="episode", disable=not progress, leave=False)
        for episode in (drawn.to(device) for drawn in bar):
            labels = episode.query.labels[0]
            answers = [logits(classifier, episode, parts) for parts in ways_of_asking(labels)]
            check_finite(answers[0])
            best = torch.stack([answer.argmax(1) for answer in answers])
            accuracies.append((best == labels).double().mean(1).cpu().numpy())
            changed.append(float((best != best[0]).any(0).double().mean()))
            moved = max(moved, *(distance(answers[0], other) for other in answers[1:]))
    together, one_by_one, by_class = np.array(accuracies).T
    return Audit(together, one_by_one, by_class, moved, float(np.mean(changed)))


def ways_of_asking(labels: Int64[Tensor, " query"]) -> list[list[Int64[Tensor, " part"]]]:
    """The queries all together, one by one, and one class at a time."""
    every = torch.arange(len(labels), device=labels.device)
    classes = [every[labels == c] for c in labels.unique()]
    return [[every], list(every.split(1)), classes]


def logits(
    classifier: Classifier, episode: Episode, parts: list[Int64[Tensor, " part"]]
) -> Float[Tensor, "query way"]:
    """The logits of every query, asked in these parts, in the order of the episode."""
    query = episode.query
    asked = [
        replace(episode, query=LabeledSet(query.images[:, part], query.labels[:, part]))
        for part in parts
    ]
    answers = torch.cat([classifier(one)[0] for one in asked])
    return answers[torch.cat(parts).argsort()]


def distance(a: Float[Tensor, "query way"], b: Float[Tensor, "query way"]) -> float:
    """The largest difference of a logit, on the scale of the largest of a.

    It is infinite where b is not finite, as for a lone query divided by a spread over queries.
    """
    if not b.isfinite().all():
        return math.inf
    return float((a - b).abs().max() / a.abs().max().clamp(min=1.0))
