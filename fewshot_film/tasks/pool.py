"""A pool of sets that cost much to make: each is asked again and again, in other ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.base.seeding import POOL, generator
from fewshot_film.errors import check_counts
from fewshot_film.tasks.asking import labelled_by
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler, concatenate


@final
class Pool:
    """rng -> tasks on `size` sets of images of another sampler, which may remember what it made.

    Set i is the same for all that draw from such a pool, whatever their seed. The batch takes one
    number of shots: that many images of every class are the support set, the others its queries.
    Of sets that carry several labellings a task asks for one of `columns`, or any, each equally
    likely; `group` goes on naming what the set was made for. So a pool much smaller than a training
    has new tasks to its end, on images that are rendered and read once.
    """

    def __init__(
        self,
        sampler: Sampler,
        size: int,
        *,
        columns: Sequence[int] | None = None,
    ) -> None:
        check_counts(pool=size)
        self.sampler, self.size = sampler, size
        self.columns = columns
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query

    @property
    def groups(self) -> tuple[str, ...]:
        return self.sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        numbers = torch.randint(self.size, (tasks,), generator=rng, device=rng.device).tolist()
        shots = torch.randint(1, self.shot + self.query, (), generator=rng, device=rng.device)
        return concatenate([self._asked_anew(self.made(n), int(shots), rng) for n in numbers])

    def made(self, number: int) -> Episode:
        """Set number `number`, as the sampler makes it."""
        return self.sampler.sample(1, generator(0, POOL, number))

    def _asked_anew(self, episode: Episode, shots: int, rng: torch.Generator) -> Episode:
        """The same images, labelled by any of the columns and divided anew."""
        whole = joined(episode)
        if whole.factors is not None:
            columns = torch.tensor(self.columns or range(whole.factors.shape[2]))
            drawn = torch.randint(len(columns), (1,), generator=rng, device=rng.device).cpu()
            asked = columns[drawn].to(whole.labels.device)
            whole = replace(whole, labels=labelled_by(whole.factors, asked))
        support, query = divided(whole.labels, shots, rng)
        return replace(episode, support=chosen(whole, support), query=chosen(whole, query))


def joined(episode: Episode) -> LabeledSet:
    """The support set and the queries of an episode as one set."""
    support, query = episode.support, episode.query
    factors = None
    if support.factors is not None and query.factors is not None:
        factors = torch.cat([support.factors, query.factors], dim=1)
    images = torch.cat([support.images, query.images], dim=1)
    return LabeledSet(images, torch.cat([support.labels, query.labels], dim=1), factors)


def divided(
    labels: Int64[Tensor, "1 example"], shots: int, rng: torch.Generator
) -> tuple[Int64[Tensor, " shot"], Int64[Tensor, " query"]]:
    """Where the first `shots` examples of every class stand, in a random order, and the others."""
    order = torch.randperm(labels.shape[1], generator=rng, device=rng.device).to(labels.device)
    shuffled = labels[0, order]
    earlier = (shuffled.unsqueeze(0) == shuffled.unsqueeze(1)).tril(-1).sum(1)
    return order[earlier < shots], order[earlier >= shots]


def chosen(labeled: LabeledSet, index: Int64[Tensor, " chosen"]) -> LabeledSet:
    """These examples of a set."""
    factors = None if labeled.factors is None else labeled.factors[:, index]
    return LabeledSet(labeled.images[:, index], labeled.labels[:, index], factors)
