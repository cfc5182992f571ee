"""Preprocessing: how a network wants its images, which belongs to it as its weights do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.errors import UsageError


@final
@dataclass(frozen=True)
class Preprocessing:
    """images in [0, 1] -> (images - mean) / std, a mean and a std for each channel.

    The network was trained with pictures of `size` pixels a side, and takes no others if it is
    `fixed`. The people who trained it test it on the middle of a picture, a share `crop` of the
    shorter side, resized with `interpolation`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    fixed: bool = False
    crop: float = 1.0
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(std > 0 for std in self.std):
            raise UsageError(
                f"`std` is {self.std} and `mean` {self.mean}; pass one of each for every channel, "
                "the std above 0"
            )
        if self.size < 1 or not 0 < self.crop <= 1:
            raise UsageError(
                f"`size` is {self.size} and `crop` {self.crop}; pass pixels, 1 or more, and a "
                "share above 0, up to 1"
            )

    def __call__(
        self, images: Float[Tensor, "*batch channel height width"]
    ) -> Float[Tensor, "*batch channel height width"]:
        mean, std = (images.new_tensor(of)[:, None, None] for of in (self.mean, self.std))
        return (images - mean) / std

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return len(self.mean)

    def check(self, images: Tensor) -> None:
        """The images' size is one that the network takes."""
        height, width = images.shape[-2:]
        if self.fixed and (height, width) != (self.size, self.size):
            raise UsageError(
                f"the network takes images of {self.size}x{self.size} pixels, these have "
                f"{height}x{width}; resize them ({self})"
            )

    def __str__(self) -> str:
        size = f"{self.size} px only" if self.fixed else f"{self.size} px"
        mean, std = ("/".join(f"{value:.4g}" for value in of) for of in (self.mean, self.std))
        return f"mean {mean}, std {std}, {size}, {self.interpolation}, crop {self.crop:.4g}"

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Preprocessing:
        """What `dataclasses.asdict` made of it, from JSON too, where tuples are lists."""
        return cls(**{**stored, "mean": tuple(stored["mean"]), "std": tuple(stored["std"])})
