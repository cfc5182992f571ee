"""Episode: a batch of few-shot tasks, and what draws it as a pure function of a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet


@dataclass(frozen=True, eq=False)
class LabeledSet:
    """Images in [0, 1] and their classes 0..way-1, for every task of a batch.

    `factors` holds every labelling that the images admit where a task asks for one of several
    attributes; `labels` is then one of its columns. Only a training objective reads it.
    `unlabeled` are further images of the tasks, which transductive adapters alone are given.
    """

    images: Float[Tensor, "task example channel height width"]
    labels: Int64[Tensor, "task example"]
    factors: Int64[Tensor, "task example factor"] | None = None
    unlabeled: Float[Tensor, "task unlabeled channel height width"] | None = None


@dataclass(frozen=True, eq=False)
class Episode:
    """A batch of tasks: a support set to adapt to and a query set to classify.

    `class_ids[t, c]` is the data set's class behind label c of task t, and `group[t]` indexes the
    sampler's `groups`, the kinds of task that a report tells apart. `auxiliary` is a co-training
    batch: one set of images labelled by the classes of the whole split. Only a training objective
    reads it.
    """

    support: LabeledSet
    query: LabeledSet
    way: int
    class_ids: Int64[Tensor, "task way"]
    group: Int64[Tensor, " task"]
    auxiliary: LabeledSet | None = None

    def to(self, device: torch.device | str) -> Episode:
        """The same episode on `device`."""
        return Episode(
            _on(self.support, device),
            _on(self.query, device),
            self.way,
            self.class_ids.to(device),
            self.group.to(device),
            self.auxiliary and _on(self.auxiliary, device),
        )


@runtime_checkable
class Sampler(Protocol):
    """Anything that draws episodes. `shot` and `query` count images per class."""

    way: int
    shot: int
    query: int

    @property
    def groups(self) -> tuple[str, ...]:
        """The kinds of task this sampler draws, for reports."""
        ...

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        """`tasks` tasks as one batch, on the data's device, the same for the same `rng`."""
        ...


SamplerFactory: TypeAlias = Callable[[ImageSet, int, int, int], Sampler]
"""(data, way, shot, query) -> sampler."""


def concatenate(episodes: Sequence[Episode]) -> Episode:
    """Episodes of equal shapes -> one batch of all their tasks."""
    return Episode(
        _concatenate_sets([e.support for e in episodes]),
        _concatenate_sets([e.query for e in episodes]),
        episodes[0].way,
        torch.cat([e.class_ids for e in episodes]),
        torch.cat([e.group for e in episodes]),
    )


def _concatenate_sets(sets: Sequence[LabeledSet]) -> LabeledSet:
    factors = [s.factors for s in sets if s.factors is not None]
    if len({f.shape[2] for f in factors}) > 1:
        factors = []  # tasks that admit other labellings have no common ones
    unlabeled = [s.unlabeled for s in sets if s.unlabeled is not None]
    return LabeledSet(
        torch.cat([s.images for s in sets]),
        torch.cat([s.labels for s in sets]),
        torch.cat(factors) if len(factors) == len(sets) else None,
        torch.cat(unlabeled) if len(unlabeled) == len(sets) else None,
    )


def _on(labeled: LabeledSet, device: torch.device | str) -> LabeledSet:
    factors = None if labeled.factors is None else labeled.factors.to(device)
    unlabeled = None if labeled.unlabeled is None else labeled.unlabeled.to(device)
    return LabeledSet(labeled.images.to(device), labeled.labels.to(device), factors, unlabeled)
