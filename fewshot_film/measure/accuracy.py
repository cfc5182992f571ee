"""Evaluation: the accuracy of each of many new episodes, and the interval of their mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from tqdm import tqdm

from fewshot_film.base.modes import evaluating
from fewshot_film.base.seeding import TEST
from fewshot_film.errors import check_counts
from fewshot_film.measure.paired import ci95
from fewshot_film.measure.sanity import check_evaluating, check_finite
from fewshot_film.model.classifier import Classifier
from fewshot_film.tasks.episode import Episode, Sampler, concatenate
from fewshot_film.tasks.numbered import numbered

BATCH = 16
"""Episodes a forward pass; the accuracies do not depend on it."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One accuracy in [0, 1] an episode, and the group that each episode belongs to."""

    accuracies: Float64[ndarray, " episode"]
    group: Int64[ndarray, " episode"]
    groups: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """The mean over episodes."""
        return float(self.accuracies.mean())

    @property
    def ci95(self) -> float:
        """Half the width of the mean's 95% interval."""
        return ci95(self.accuracies)

    def of_group(self, name: str) -> Float64[ndarray, " episode"]:
        """The accuracies of the episodes of all groups of this name."""
        called = [number for number, group in enumerate(self.groups) if group == name]
        return self.accuracies[np.isin(self.group, called)]


def evaluate(
    classifier: Classifier,
    sampler: Sampler,
    episodes: int,
    *,
    seed: int = 0,
    stream: int = TEST,
    batch: int = BATCH,
    progress: bool = False,
) -> Evaluation:
    """(classifier, sampler, seed) -> the accuracy of each of `episodes` episodes.

    Episode i depends on (seed, stream, i) alone: not on the classifier, the batch or the device,
    so any two classifiers can be compared episode by episode. No answer depends on the other
    queries, unless `is_transductive(classifier)` says so.
    """
    check_counts(episodes=episodes)
    device = next(classifier.parameters()).device
    accuracies, group = [], []
    drawn = numbered(sampler, episodes, seed, stream)
    with (
        evaluating(classifier),
        tqdm(
            total=episodes, desc="evaluate", unit="episode", disable=not progress, leave=False
        ) as bar,
    ):
        check_evaluating(classifier)
        for episode in (concatenate(part).to(device) for part in _chunks(drawn, batch)):
            logits = classifier(episode)
            check_finite(logits)
            correct = logits.argmax(2) == episode.query.labels
            accuracies.append(correct.double().mean(1).cpu().numpy())
            group.append(episode.group.cpu().numpy())
            bar.update(len(accuracies[-1]))
    return Evaluation(np.concatenate(accuracies), np.concatenate(group), sampler.groups)


def _chunks(episodes: Iterable[Episode], size: int) -> Iterator[list[Episode]]:
    iterator = iter(episodes)
    while chunk := list(islice(iterator, size)):
        yield chunk
