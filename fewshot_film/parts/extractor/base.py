"""Extractor: a network with named sites, run on many tasks at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.base.pixels import as_float
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import (
    Affine,
    Conditioning,
    SiteParams,
    TaskParams,
    Unconditioned,
    channel_affine,
)
from fewshot_film.parts.normalization import BatchNorm, Normalization
from fewshot_film.parts.normalization.base import precise

TaskImages: TypeAlias = (
    Float[Tensor, "task example channel height width"]
    | UInt8[Tensor, "task example channel height width"]
)

ConditioningFactory: TypeAlias = Callable[[int], Conditioning]
"""channels -> the mechanism at a site, such as the class FiLM itself."""

NormalizationFactory: TypeAlias = Callable[[int], Normalization]
"""channels -> the normalization at a site, such as the class BatchNorm itself."""


class Site(nn.Module):
    """(h, params) -> conditioning(norm(h)): where a network takes its task's parameters.

    What `params` does not hold is left out: without the mechanism's parameters a site is its
    normalization alone.
    """

    def __init__(
        self,
        channels: int,
        conditioning: ConditioningFactory = Unconditioned,
        normalization: NormalizationFactory = BatchNorm,
    ) -> None:
        super().__init__()
        self.norm = normalization(channels)
        self.conditioning = conditioning(channels)
        self.names = frozenset(self.conditioning.identity())

    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]:
        if self.names.isdisjoint(params):
            normalized: Tensor = self.norm(h, params)
            return normalized
        if (merged := self.merged(params)) is not None:
            return channel_affine(precise(h), merged).to(h.dtype)
        conditioned: Tensor = self.conditioning(self.norm(h, params), params)
        return conditioned

    def merged(self, params: SiteParams) -> Affine | None:
        """(scale, shift) of norm and mechanism in one, where both are affine in this mode."""
        first, second = self.norm.affine(params), self.conditioning.affine(params)
        if first is None or second is None:
            return None
        (scale, shift), (gamma, beta) = first, second
        return gamma * scale, gamma * shift + beta


Visit: TypeAlias = Callable[[str, Site, Tensor], Tensor]
"""(name, site, what flows into it) -> what flows out of it."""

Describe: TypeAlias = Callable[[str, Site, Tensor], SiteParams]
"""(name, site, what a support set sends into it) -> what is kept of the support set there."""


def own_description(name: str, site: Site, support: Tensor) -> SiteParams:
    """What the site's normalization keeps by itself."""
    del name
    kept: SiteParams = site.norm.describe(support)
    return kept


class Extractor(nn.Module, ABC):
    """(images, task parameters) -> features; without parameters, the unconditioned network.

    Images are uint8 in 0..255 or float in [0, 1]. They are multiplied by `pixel_scale` first; 255
    gives networks that were published for raw pixels what they were given. Where a normalization
    keeps something of the support set and the parameters do not hold it, the images of a task are
    taken for its support set: to embed queries, give what `described` found.
    """

    def __init__(
        self, *, channels: int | None = None, smallest: int = 1, pixel_scale: float = 1.0
    ) -> None:
        """For images of so many `channels`, or of any, and at least `smallest` pixels a side."""
        super().__init__()
        self.channels, self.smallest, self.pixel_scale = channels, smallest, pixel_scale

    def check_images(self, images: Tensor) -> None:
        """Images are of a shape that the network takes, or an error says which that is."""
        channels, height, width = images.shape[-3:]
        if self.channels not in (None, channels):
            raise UsageError(
                f"the network takes images of {self.channels} channels, these have {channels}; "
                "convert them"
            )
        if min(height, width) < self.smallest:
            raise UsageError(
                f"the network takes images of {self.smallest} pixels a side or more, these have "
                f"{height}x{width}; resize them"
            )

    @property
    def reads(self) -> bool:
        """Whether it sees an image always alike, so that `read` can stand for all that it sees."""
        return False

    def read(self, images: Float[Tensor, "image channel height width"]) -> Tensor:
        """Images -> readings (image, reading, 1, 1), which it takes in the place of images."""
        raise NotImplementedError(f"{type(self).__name__} does not read")

    def reader_id(self) -> str:
        """All that its readings depend on beside the images."""
        raise NotImplementedError(f"{type(self).__name__} does not read")

    @abstractmethod
    def sites(self) -> dict[str, Site]:
        """name -> site, in the order of the data flow; a name holds no dots."""

    @abstractmethod
    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        """The network on a flat batch of scaled images; `at` takes h through a site."""

    def forward(
        self,
        images: TaskImages,
        params: TaskParams | None = None,
    ) -> Float[Tensor, "task example feature"]:
        given = self._known(params)
        return self._visited(images, lambda name, site, h: site(h, given.get(name, {})))

    def described(
        self,
        support: TaskImages,
        params: TaskParams | None = None,
        describe: Describe = own_description,
    ) -> TaskParams:
        """`params` and what every site keeps of the support set: layer by layer, in one pass.

        Each site is described under the parameters and descriptions of the sites below it.
        """
        if not support.shape[1]:
            raise UsageError("the support set holds no images; a task needs at least one")
        given, found = self._known(params), TaskParams()

        def keep(name: str, site: Site, h: Tensor) -> Tensor:
            found[name] = {**given.get(name, {}), **describe(name, site, h)}
            out: Tensor = site(h, found[name])
            return out

        self._visited(support, keep)
        return {name: kept for name, kept in found.items() if kept}

    def _visited(self, images: TaskImages, visit: Visit) -> Float[Tensor, "task example feature"]:
        """The features, where `visit` decides at every site; it sees the task axis."""
        if images.ndim != 5:
            raise UsageError(
                "an extractor takes images as (task, image, channel, height, width), these are "
                f"{tuple(images.shape)}; pass images.unsqueeze(0) for those of one task"
            )
        batch = images.shape[:2]
        flat = as_float(images) if images.dtype == torch.uint8 else images
        flat = flat.to(next(self.parameters(), flat).dtype)
        flat = flat.flatten(0, 1) * self.pixel_scale
        flat = flat.contiguous(memory_format=torch.channels_last)

        def at(name: str, site: Site, h: Tensor) -> Tensor:
            return visit(name, site, h.unflatten(0, batch)).flatten(0, 1)

        return self.embed(flat, at).unflatten(0, batch)

    def _known(self, params: TaskParams | None) -> TaskParams:
        """The parameters, all of them for sites that there are."""
        if unknown := set(params or ()) - self.sites().keys():
            raise UsageError(
                f"there is no site {min(unknown)!r}; {type(self).__name__} has "
                f"{', '.join(self.sites())}"
            )
        return params or {}

    @property
    def keeps(self) -> bool:
        """Whether a site's normalization keeps something of the support set, in this mode."""
        return any(site.norm.keeps for site in self.sites().values())

    @property
    def needs_support(self) -> bool:
        """Whether a site's normalization is trained to see a task's own images."""
        return any(site.norm.needs_support for site in self.sites().values())

    @property
    def counts(self) -> bool:
        """Whether training keeps running statistics in its normalizations."""
        return any(site.norm.counts for site in self.sites().values())

    @property
    def transductive(self) -> bool:
        """Whether a site's normalization looks at the images that are asked together."""
        return any(site.norm.transductive for site in self.sites().values())

    def feature_dim(self, channels: int, size: int) -> int:
        """Features of an image of `size` x `size` pixels."""
        with evaluating(self):
            blank = torch.zeros(1, 1, channels, size, size)
            return self(blank.to(next(self.parameters(), blank).device)).shape[2]

    def identity(self) -> TaskParams:
        """site -> name -> neutral value for one task: all that a generator needs to know.

        Sites that cannot be steered are left out.
        """
        neutral = {name: site.conditioning.identity() for name, site in self.sites().items()}
        return {name: params for name, params in neutral.items() if params}

    def plain_params(self, tasks: int) -> TaskParams | None:
        """The parameters under which it is the network as it was published, for so many tasks."""
        del tasks
        return None
