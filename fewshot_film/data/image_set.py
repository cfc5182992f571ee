"""ImageSet: every image of a split in one tensor, ready to be indexed on any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float16, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.errors import UsageError


@dataclass(frozen=True, eq=False)
class ImageSet:
    """image -> (class, domain), all images uint8 and of one size, or readings in float16.

    `labels[i]` indexes `names` and `domains[i]` indexes `domain_names`. A data set without
    domains has a single one. Every class holds at least one image.
    """

    images: UInt8[Tensor, "image channel height width"] | Float16[Tensor, "image reading 1 1"]
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
        kept = self.of_images(new_label[self.labels] >= 0)
        names = tuple(self.names[c] for c in classes)
        return replace(kept, labels=new_label[kept.labels], names=names)

    def of_domains(self, names: Sequence[str]) -> ImageSet:
        """The images of these domains only, which are renumbered in the order given.

        Classes keep their numbers, so a label means the same class in every domain.
        """
        numbers = [self._domain(name) for name in names]
        if len(set(names)) < len(names):
            raise UsageError(f"the domains {', '.join(names)} name one twice: name each once")
        new_domain = torch.full((len(self.domain_names),), -1, device=self.device)
        new_domain[numbers] = torch.arange(len(numbers), device=self.device)
        kept = self.of_images(new_domain[self.domains] >= 0)
        missing = torch.bincount(kept.labels, minlength=len(self.names)) == 0
        if missing.any():
            raise UsageError(
                f"class {self.names[int(missing.int().argmax())]!r} has no image in the domains "
                f"{', '.join(names)}; add a domain that has some, or leave the class out"
            )
        return replace(kept, domains=new_domain[kept.domains], domain_names=tuple(names))

    def of_images(self, chosen: Bool[Tensor, " image"] | Int64[Tensor, " chosen"]) -> ImageSet:
        """The images chosen by a mask or by number.

        Classes and domains keep their numbers, even where none is left.
        """
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            domains=self.domains[chosen],
        )

    def with_at_least(self, images: int) -> ImageSet:
        """The classes that hold at least this many images."""
        counts = torch.bincount(self.labels, minlength=len(self.names))
        return self.of_classes((counts >= images).nonzero().squeeze(1).tolist())

    def resize(self, size: int) -> ImageSet:
        """Square images of `size` pixels, by antialiased bilinear interpolation."""
        if self.images.shape[-2:] == (size, size):
            return self
        resized = self.images.new_empty(*self.images.shape[:2], size, size)
        # in chunks, since floats take four times the room
        for into, chunk in zip(resized.split(1024), self.images.split(1024), strict=True):
            into.copy_(_resized(chunk, size))
        return replace(self, images=resized)

    def _domain(self, name: str) -> int:
        if name not in self.domain_names:
            raise UsageError(
                f"there is no domain {name!r}: choose among {', '.join(self.domain_names)}"
            )
        return self.domain_names.index(name)


def _resized(
    images: UInt8[Tensor, "image channel height width"], size: int
) -> UInt8[Tensor, "image channel size size"]:
    shape = (size, size)
    found = F.interpolate(images.float(), shape, mode="bilinear", antialias=True)
    return found.round().clamp(0, 255).byte()


def joined(sets: Sequence[ImageSet]) -> ImageSet:
    """Sets of the same classes -> one set of all their images, with the domains of every one."""
    before = [sum(len(s.domain_names) for s in sets[:i]) for i in range(len(sets))]
    return ImageSet(
        images=torch.cat([s.images for s in sets]),
        labels=torch.cat([s.labels for s in sets]),
        names=sets[0].names,
        domains=torch.cat([s.domains + n for s, n in zip(sets, before, strict=True)]),
        domain_names=tuple(name for s in sets for name in s.domain_names),
    )
