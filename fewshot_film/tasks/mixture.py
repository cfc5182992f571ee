"""A mixture of samplers: each batch comes from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch

from fewshot_film.tasks.episode import Episode, Sampler


@final
class Mixture:
    """rng -> a batch of one of the samplers, each equally likely; their groups stay apart."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self.samplers = tuple(samplers)
        self.way, self.shot, self.query = samplers[0].way, samplers[0].shot, samplers[0].query

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(name for sampler in self.samplers for name in sampler.groups)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        choice = int(torch.randint(len(self.samplers), (), generator=rng, device=rng.device))
        episode = self.samplers[choice].sample(tasks, rng)
        before = sum(len(sampler.groups) for sampler in self.samplers[:choice])
        return replace(episode, group=episode.group + before)
