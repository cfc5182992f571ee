"""Episodes: batches of few-shot tasks, drawn from an ImageSet as a pure function of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError


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


@final
class EpisodeSampler:
    """rng -> N-way K-shot episodes, classes and images drawn without replacement (Vinyals 2016).

    Random numbers are made where `rng` lives and images are gathered where the data live, so a
    CPU generator draws the same episodes on every device. Classes may differ in size.
    """

    groups = ("all",)

    def __init__(self, data: ImageSet, way: int, shot: int, query: int) -> None:
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.members = Members(data)
        check_counts(way=way, shot=shot, query=query)
        self.members.check(data, way, shot + query)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        classes = draw_distinct(torch.full((tasks,), len(self.data.names)), self.way, rng)
        rows = draw_distinct(self.members.counts[classes], self.shot + self.query, rng)
        index = self.members.images(classes, rows).to(self.data.device)
        return Episode(
            support=self._labeled(index[..., : self.shot]),
            query=self._labeled(index[..., self.shot :]),
            way=self.way,
            class_ids=classes.to(self.data.device),
            group=torch.zeros(tasks, dtype=torch.int64, device=self.data.device),
        )

    def _labeled(self, index: Int64[Tensor, "task way image"]) -> LabeledSet:
        labels = torch.arange(self.way, device=index.device).repeat_interleave(index.shape[-1])
        return LabeledSet(
            as_float(self.data.images[index.flatten(1)]), labels.expand(len(index), -1)
        )


class Members:
    """class -> the images of it, as an offset and a count into one sorted list."""

    def __init__(self, data: ImageSet) -> None:
        labels = data.labels.cpu()
        self.order = labels.argsort(stable=True)
        self.counts = torch.bincount(labels, minlength=len(data.names))
        self.starts = self.counts.cumsum(0) - self.counts

    def images(
        self, classes: Int64[Tensor, "*batch"], rows: Int64[Tensor, "*batch image"]
    ) -> Int64[Tensor, "*batch image"]:
        """The data set's index of the given rows of each class."""
        return self.order[self.starts[classes].unsqueeze(-1) + rows]

    def check(self, data: ImageSet, way: int, images: int) -> None:
        """Every task needs `way` classes of `images` images each."""
        if way > len(data.names):
            fewer = f"pass --way {len(data.names)} or less, for validation and test --test-way"
            raise UsageError(
                f"{way}-way tasks need {way} classes, this split has {len(data.names)}; "
                f"{fewer if len(data.names) > 1 else 'give it more classes'}"
            )
        smallest = int(self.counts.argmin())
        if self.counts[smallest] < images:
            raise UsageError(
                f"class {data.names[smallest]!r} has {int(self.counts[smallest])} images, shot "
                f"plus query ask for {images}; pass a smaller --shot or --query"
            )


def draw_among(
    allowed: Bool[Tensor, "*batch candidate"], count: int, rng: torch.Generator
) -> Int64[Tensor, "*batch {count}"]:
    """`count` distinct allowed candidates, every choice equally likely.

    Each candidate gets a random key; the `count` smallest keys of the allowed ones win.
    """
    keys = torch.rand(allowed.shape, generator=rng, device=rng.device).cpu()
    return keys.masked_fill_(~allowed, 2.0).topk(count, largest=False).indices


def draw_distinct(
    population: Int64[Tensor, "*batch"], count: int, rng: torch.Generator
) -> Int64[Tensor, "*batch {count}"]:
    """`count` distinct numbers below each entry of `population`, every choice equally likely."""
    return draw_among(torch.arange(int(population.max())) < population.unsqueeze(-1), count, rng)


def check_counts(**counts: int) -> None:
    """Every count is at least 1 (a way at least 2), or an error names its flag."""
    for name, value in counts.items():
        least = 2 if name in ("way", "test_way") else 1
        if value < least:
            raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be at least {least}")


def as_float(images: Tensor) -> Tensor:
    """uint8 in 0..255 -> float32 in [0, 1]."""
    return images.float().div_(255)


def concatenate(episodes: Sequence[Episode]) -> Episode:
    """Episodes of equal shapes -> one batch of all their tasks."""
    return Episode(
        _concatenate_sets([e.support for e in episodes]),
        _concatenate_sets([e.query for e in episodes]),
        episodes[0].way,
        torch.cat([e.class_ids for e in episodes]),
        torch.cat([e.group for e in episodes]),
    )


def class_means(
    values: Float[Tensor, "task example feature"], labels: Int64[Tensor, "task example"], way: int
) -> Float[Tensor, "task way feature"]:
    """The mean value of every class; a class without examples has mean 0. Never in bfloat16."""
    with torch.autocast(values.device.type, enabled=False):
        member = torch.nn.functional.one_hot(labels, way).to(values.dtype)
        counts = member.sum(1).clamp(min=1).unsqueeze(-1)
        return member.transpose(1, 2) @ values / counts


def _concatenate_sets(sets: Sequence[LabeledSet]) -> LabeledSet:
    factors = [s.factors for s in sets if s.factors is not None]
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
