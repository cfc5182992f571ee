"""Drawing without replacement, for many tasks at once and without a loop over images."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError


class Members:
    """class -> the images of it, as an offset and a count into one sorted list."""

    def __init__(self, data: ImageSet) -> None:
        labels = data.labels.cpu()
        self.order = labels.argsort(stable=True)
        self.counts = torch.bincount(labels, minlength=len(data.names))
        self.starts = self.counts.cumsum(0) - self.counts

    def images(
        self, classes: Int64[Tensor, "*batch"], rows: Int64[Tensor, "*batch image"]
    ) -> Int64[Tensor, "*batch image"]:
        """The data set's index of the given rows of each class."""
        return self.order[self.starts[classes].unsqueeze(-1) + rows]

    def check(self, data: ImageSet, way: int, images: int) -> None:
        """Every task needs `way` classes of `images` images each."""
        if way > len(data.names):
            fewer = f"pass `way={len(data.names)}` or less, for validation and test `test_way`"
            raise UsageError(
                f"{way}-way tasks need {way} classes, this split has {len(data.names)}; "
                f"{fewer if len(data.names) > 1 else 'give it more classes'}"
            )
        smallest = int(self.counts.argmin())
        if self.counts[smallest] < images:
            raise UsageError(
                f"class {data.names[smallest]!r} has {int(self.counts[smallest])} images, shot "
                f"plus query ask for {images}; pass a smaller `shot` or `query`"
            )


def draw_among(
    allowed: Bool[Tensor, "*batch candidate"], count: int, rng: torch.Generator
) -> Int64[Tensor, "*batch {count}"]:
    """`count` distinct allowed candidates, every choice equally likely.

    Each candidate gets a random key; the `count` smallest keys of the allowed ones win.
    """
    keys = torch.rand(allowed.shape, generator=rng, device=rng.device).cpu()
    return keys.masked_fill_(~allowed, 2.0).topk(count, largest=False).indices


def draw_distinct(
    population: Int64[Tensor, "*batch"], count: int, rng: torch.Generator
) -> Int64[Tensor, "*batch {count}"]:
    """`count` distinct numbers below each entry of `population`, every choice equally likely."""
    return draw_among(torch.arange(int(population.max())) < population.unsqueeze(-1), count, rng)
