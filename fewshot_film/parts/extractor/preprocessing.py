"""Preprocessing: how a network that others trained wants its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.errors import UsageError


@final
@dataclass(frozen=True)
class Preprocessing:
    """pixels in [0, 1] -> (pixels - mean) / std.

    `size` is the side that the network was trained with, the only one that it takes if `fixed`;
    pictures are resized so that the shorter side is size / crop, then cropped in the middle.
    `smallest` is the smallest side that it takes.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: int | None = None
    fixed: bool = False
    crop: float = 1.0
    smallest: int = 32

    def __call__(
        self, images: Float[Tensor, "*batch channel height width"]
    ) -> Float[Tensor, "*batch channel height width"]:
        mean, std = (images.new_tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        return (images - mean) / std

    def check(self, images: Tensor) -> None:
        """Images are of a size that the network takes."""
        height, width = images.shape[-2:]
        if self.fixed and (height, width) != (self.size, self.size):
            raise UsageError(
                f"the network takes images of {self.size}x{self.size}, these are {height}x{width}; "
                f"resize them ({self})"
            )

    def __str__(self) -> str:
        side = f"{self.size}x{self.size}" if self.size else "any size"
        mean, std = (", ".join(f"{v:.4g}" for v in values) for values in (self.mean, self.std))
        return f"{side}, crop {self.crop:g}, (pixels in [0, 1] - ({mean})) / ({std})"


AS_THEY_ARE = Preprocessing()
"""Images in [0, 1], of any size."""
