"""A mixture of samplers: each batch comes from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch

from fewshot_film.errors import UsageError
from fewshot_film.tasks.episode import Episode, Sampler


@final
class Mixture:
    """rng -> a batch of one of the samplers, by their shares; their groups stay apart.

    Without `shares` each is equally likely.
    """

    def __init__(self, samplers: Sequence[Sampler], shares: Sequence[float] = ()) -> None:
        if shares and (len(shares) != len(samplers) or min(shares) < 0 or not sum(shares)):
            raise UsageError(
                f"`shares` are {tuple(shares)}; pass one of 0 or more for each of the "
                f"{len(samplers)} samplers, not all of them 0"
            )
        self.samplers = tuple(samplers)
        self.shares = torch.tensor(shares, dtype=torch.float32)
        self.way, self.shot, self.query = samplers[0].way, samplers[0].shot, samplers[0].query

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(name for sampler in self.samplers for name in sampler.groups)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        choice = self._choice(rng)
        episode = self.samplers[choice].sample(tasks, rng)
        before = sum(len(sampler.groups) for sampler in self.samplers[:choice])
        return replace(episode, group=episode.group + before)

    def _choice(self, rng: torch.Generator) -> int:
        if not len(self.shares):
            return int(torch.randint(len(self.samplers), (), generator=rng, device=rng.device))
        return int(torch.multinomial(self.shares.to(rng.device), 1, generator=rng))
