"""Glyph tasks in a rendering of their own: support and query share it, every image is deformed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from fewshot_film.data.sets.glyphs.renderings import RENDERINGS, SEEN, render
from fewshot_film.data.sets.glyphs.shapes import jittered
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler


@final
class Rendered:
    """rng -> the sampler's tasks, each drawn in one of `renderings`, its images mildly deformed.

    Every image is turned by up to 10 degrees, slanted by up to 11, scaled to between 0.8 and 1
    and moved by up to 2 pixels on its own. The renderings are the groups of the report.
    """

    def __init__(self, sampler: Sampler, renderings: Sequence[int]) -> None:
        self.sampler, self.codes = sampler, torch.tensor(renderings)
        self.groups = tuple(f"characters, {_name(code)}" for code in renderings)
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        episode = self.sampler.sample(tasks, rng)
        group = torch.randint(len(self.groups), (tasks,), generator=rng, device=rng.device).cpu()
        codes = self.codes[group].to(episode.group.device)
        return replace(
            episode,
            support=_drawn(episode.support, codes, rng),
            query=_drawn(episode.query, codes, rng),
            group=group.to(episode.group.device),
        )


def _name(code: int) -> str:
    return RENDERINGS[code] if code in SEEN else f"{RENDERINGS[code]} (unseen)"


def _drawn(labeled: LabeledSet, codes: Tensor, rng: torch.Generator) -> LabeledSet:
    tasks, examples = labeled.images.shape[:2]
    deformed = jittered(labeled.images.flatten(0, 1), rng)
    images = render(deformed, codes.repeat_interleave(examples), rng)
    return replace(labeled, images=images.unflatten(0, (tasks, examples)))
