"""Extractor: a network with named sites, run on many tasks at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.conditioning import Conditioning, SiteParams, TaskParams
from fewshot_film.modes import evaluating

ConditioningFactory: TypeAlias = Callable[[int], Conditioning]
"""channels -> the mechanism at a site, such as the class FiLM itself."""


class Site(nn.Module):
    """h -> conditioning(batch_norm(h)): where a network takes its task's parameters.

    Batch norm pools over the tasks of a batch in training and uses running statistics in
    evaluation, so that an answer never depends on the other queries.
    """

    def __init__(self, channels: int, conditioning: ConditioningFactory) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conditioning = conditioning(channels)

    def forward(
        self, h: Float[Tensor, "image channel *space"], params: SiteParams | None
    ) -> Float[Tensor, "image channel *space"]:
        """`image` runs over tasks and, faster, their examples; without params: batch norm alone."""
        h = self.norm(h)
        return h if params is None else self.condition(h, params)

    def condition(
        self, h: Float[Tensor, "image channel *space"], params: SiteParams
    ) -> Float[Tensor, "image channel *space"]:
        """The conditioning alone, on images whose first axis is task-major."""
        tasks = next(iter(params.values())).shape[0]
        return self.conditioning(h.unflatten(0, (tasks, -1)), params).flatten(0, 1)


class Extractor(nn.Module, ABC):
    """(images, task parameters) -> features; without parameters, the unconditioned network.

    Images in [0, 1] are multiplied by `pixel_scale` first; 255 gives networks that were published
    for raw pixels what they were given.
    """

    def __init__(self, *, pixel_scale: float = 1.0) -> None:
        super().__init__()
        self.pixel_scale = pixel_scale

    @abstractmethod
    def sites(self) -> dict[str, Site]:
        """name -> site, in the order of the data flow; a name holds no dots."""

    @abstractmethod
    def embed(
        self, images: Float[Tensor, "image channel height width"], params: TaskParams | None
    ) -> Float[Tensor, "image feature"]:
        """The network on a flat batch of scaled images whose first axis is task-major."""

    def forward(
        self,
        images: Float[Tensor, "task example channel height width"],
        params: TaskParams | None = None,
    ) -> Float[Tensor, "task example feature"]:
        flat = images.flatten(0, 1) * self.pixel_scale
        flat = flat.contiguous(memory_format=torch.channels_last)
        return self.embed(flat, params).unflatten(0, images.shape[:2])

    def feature_dim(self, channels: int, size: int) -> int:
        """Features of an image of `size` x `size` pixels."""
        with evaluating(self):
            return self.embed(torch.zeros(1, channels, size, size), None).shape[1]

    def identity(self) -> TaskParams:
        """site -> name -> neutral value for one task: all that a generator needs to know."""
        return {name: site.conditioning.identity() for name, site in self.sites().items()}


def site_params(params: TaskParams | None, name: str) -> SiteParams | None:
    """The parameters of one site, or None for the unconditioned network."""
    return None if params is None else params[name]
