"""A sampler whose images are transformed after drawing, every image on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, final

import torch
from torch import Tensor

from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler

Transform: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""(images (image, C, H, W) in [0, 1], rng) -> images of the same shape."""


@final
class Augmented:
    """rng -> the sampler's episodes, with support and query images transformed."""

    def __init__(self, sampler: Sampler, transform: Transform) -> None:
        self.sampler, self.transform = sampler, transform
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query
        self.groups = sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        episode = self.sampler.sample(tasks, rng)
        return replace(
            episode,
            support=transformed(episode.support, self.transform, rng),
            query=transformed(episode.query, self.transform, rng),
        )


def transformed(labeled: LabeledSet, transform: Transform, rng: torch.Generator) -> LabeledSet:
    """The same set with its images transformed."""
    flat = transform(labeled.images.flatten(0, 1), rng)
    return replace(labeled, images=flat.unflatten(0, labeled.images.shape[:2]))
