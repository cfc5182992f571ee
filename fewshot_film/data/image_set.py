"""ImageSet: every image of a split in one tensor, ready to be indexed on any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class ImageSet:
    """image -> (class, domain), all images uint8 and of one size.

    `labels[i]` indexes `names` and `domains[i]` indexes `domain_names`. A data set without
    domains has a single one. Every class holds at least one image.
    """

    images: UInt8[Tensor, "image channel height width"]
    labels: Int64[Tensor, " image"]
    names: tuple[str, ...]
    domains: Int64[Tensor, " image"]
    domain_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def device(self) -> torch.device:
        return self.images.device

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set on `device`."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            domains=self.domains.to(device),
        )

    def of_classes(self, classes: Sequence[int]) -> ImageSet:
        """The images of the given classes, which are renumbered in the order given."""
        chosen = torch.tensor(list(classes), dtype=torch.int64, device=self.device)
        new_label = torch.full((len(self.names),), -1, dtype=torch.int64, device=self.device)
        new_label[chosen] = torch.arange(len(chosen), device=self.device)
        kept = self._subset(new_label[self.labels] >= 0)
        names = tuple(self.names[c] for c in classes)
        return replace(kept, labels=new_label[kept.labels], names=names)

    def with_at_least(self, images: int) -> ImageSet:
        """The classes that hold at least this many images."""
        counts = torch.bincount(self.labels, minlength=len(self.names))
        return self.of_classes((counts >= images).nonzero().squeeze(1).tolist())

    def resize(self, size: int) -> ImageSet:
        """Square images of `size` pixels, by antialiased bilinear interpolation."""
        if self.images.shape[-2:] == (size, size):
            return self
        chunks = [
            F.interpolate(chunk.float(), (size, size), mode="bilinear", antialias=True)
            for chunk in self.images.split(4096)
        ]
        return replace(self, images=torch.cat([c.round().clamp(0, 255).byte() for c in chunks]))

    def _subset(self, mask: Tensor) -> ImageSet:
        return replace(
            self, images=self.images[mask], labels=self.labels[mask], domains=self.domains[mask]
        )
