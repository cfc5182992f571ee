"""A neck: what learns to read all stages of a pretrained network, beside what that gives."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import SiteParams, TaskParams
from fewshot_film.parts.extractor.base import ConditioningFactory, Extractor, Site, Visit
from fewshot_film.parts.extractor.conditioned import ConditionedNetwork
from fewshot_film.parts.normalization import BatchNorm

NECK = "neck"
WINDOWS = 2
"""Windows a side, whose means tell where in the picture something is."""
SHARE = 0.5
"""The length of the neck's features at first, beside those of the network, of length one."""


@final
class Necked(Extractor):
    """images -> (f / |f|, stages * s / |s|, site(W n)): what a network gives, reads and learns.

    Its features are f. A reading holds, of every channel of each earlier stage, the mean, the
    standard deviation and the means in four windows; and f: n is the reading normalised by what
    trainings saw, and s what n holds of the earlier stages, which stays away with `stages` zero.
    W is learned. The site behind it weighs what W finds, by task: with all of its parameters zero
    nothing is left of that.

    A frozen network without sites reads an image always alike. `read` gives the readings as images
    of many channels and one pixel, which are taken in the place of those that they were read of:
    so is the neck trained without passing every image through the network again and again.
    """

    def __init__(
        self,
        network: ConditionedNetwork,
        conditioning: ConditioningFactory,
        width: int,
        *,
        stages: float = 0.0,
    ) -> None:
        """`network` taps its stages, its output last; the neck has `width` features."""
        super().__init__(channels=network.channels)
        self.network, self.stages = network, stages
        summaries = self._look()
        self.own_dim, self.reading_dim = len(summaries[-1]), sum(map(len, summaries))
        self.normalised = nn.BatchNorm1d(self.reading_dim, affine=False)
        self.linear = nn.Linear(self.reading_dim, width, bias=False)
        norm = nn.BatchNorm1d(width)
        nn.init.constant_(norm.weight, SHARE / width**0.5)
        self.site = Site(width, conditioning, lambda _: BatchNorm.around(norm))

    def check_images(self, images: Tensor) -> None:
        self.network.check_images(images)

    def sites(self) -> dict[str, Site]:
        return {**self.network.sites(), NECK: self.site}

    def plain_params(self, tasks: int) -> TaskParams:
        """Those under which the features are without what was learned, for so many tasks."""
        like, neutral = self.linear.weight, self.site.conditioning.identity()
        self._check_silenced({n: torch.zeros(1, *value.shape) for n, value in neutral.items()})
        return {NECK: {n: like.new_zeros(tasks, *value.shape) for n, value in neutral.items()}}

    def _check_silenced(self, zeros: SiteParams) -> None:
        """Parameters of zero leave nothing of what the neck finds."""
        affine = self.site.conditioning.affine(zeros)
        if affine is None or any(bool(value.any()) for value in affine):
            raise UsageError(
                f"{type(self.site.conditioning).__name__} cannot take away what a neck adds, so "
                "the network's own features are out of reach; pass `conditioning` film or scale"
            )

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        was_read = images.shape[1:] == (self.reading_dim, 1, 1)
        reading = images.flatten(1) if was_read else self._read(images, at)
        normalised = self.normalised(reading)
        parts = [F.normalize(reading[:, -self.own_dim :])]
        if self.stages:
            parts.append(self.stages * F.normalize(normalised[:, : -self.own_dim]))
        parts.append(at(NECK, self.site, self.linear(normalised)))
        return torch.cat(parts, dim=1)

    @property
    def reads(self) -> bool:
        return self.network.reads

    def read(
        self, images: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image reading 1 1"]:
        """What the network's stages say of images."""
        with evaluating(self.network):
            aligned = images.contiguous(memory_format=torch.channels_last)
            return self._read(aligned, _plain)[:, :, None, None]

    def reader_id(self) -> str:
        return f"{type(self).__name__} {WINDOWS} {self.network.reader_id()}"

    def _read(self, images: Float[Tensor, "image channel height width"], at: Visit) -> Tensor:
        return torch.cat([summary(h) for h in self.network.tapped(images, at)], dim=1)

    def _look(self) -> list[Tensor]:
        """What is read of an image of each stage."""
        size = self.network.preprocessing.size
        with evaluating(self.network):
            blank = torch.zeros(1, self.network.preprocessing.channels, size, size)
            return [summary(h)[0] for h in self.network.tapped(blank, _plain)]


def _plain(name: str, site: Site, h: Tensor) -> Tensor:
    """Through a site without a task; `h` has no task axis."""
    del name
    out: Tensor = site(h.unsqueeze(0), {})
    return out.squeeze(0)


def summary(h: Tensor) -> Float[Tensor, "image summary"]:
    """A map -> each channel's mean, deviation and means in windows; features as they are."""
    if h.ndim == 2:
        return h
    if h.ndim == 3:  # tokens have no place in a plane
        return torch.cat([h.mean(dim=1), h.std(dim=1, correction=0)], dim=1)
    windows = F.adaptive_avg_pool2d(h, WINDOWS).flatten(1)
    return torch.cat([h.mean(dim=(2, 3)), h.std(dim=(2, 3), correction=0), windows], dim=1)
