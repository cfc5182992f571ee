"""What separates the classes of a task, measured in a space of its own."""

from __future__ import annotations

from typing import Annotated, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.memory import channels_last
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.encoder.contrast import Contrast


@final
class DiscriminativeEncoder(Contrast):
    """z = log B - log W of the features of a network of its own: see `Contrast`.

    The small convolutional network keeps its 4x4 map (of 28x28 images) and shares nothing with
    the extractor.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        *,
        width: Annotated[int, AtLeast(1)] = 32,
        embedding_dim: Annotated[int, AtLeast(1)] = 64,
        prior: Annotated[float, Above(0)] = 1.0,
        momentum: Annotated[float, AtLeast(0)] = 0.05,
    ) -> None:
        super().__init__(embedding_dim, prior, momentum)
        self.size = size
        layers: list[nn.Module] = []
        for inputs in (channels, width, width):
            layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        map_size = (size + 7) // 8
        self.network = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(width * map_size**2, embedding_dim)
        )
        channels_last(self.network)

    def check_images(self, images: Tensor) -> None:
        if images.shape[-2:] != (self.size, self.size):
            height, width = images.shape[-2:]
            raise UsageError(
                f"the task encoder looks at images of {self.size}x{self.size} pixels, these have "
                f"{height}x{width}; resize them"
            )

    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example embedding"]:
        """Each image in the encoder's own space."""
        del features
        flat = (
            images.flatten(0, 1).to(self.within.dtype).contiguous(memory_format=torch.channels_last)
        )
        return self.network(flat).float().unflatten(0, images.shape[:2])
