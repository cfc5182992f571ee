"""What separates the classes of a task, measured in a space of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.base.memory import channels_last
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.encoder.base import TaskEncoder
from fewshot_film.parts.head import class_means

EPSILON = 1e-4


@final
class DiscriminativeEncoder(TaskEncoder):
    """z = log B - log W: between-class over within-class variance of each feature.

    B is the unbiased variance of the class means and W the pooled within-class variance. The mean
    is left out on purpose: it does not tell which of several attributes a task asks for.

    W is estimated from N - way degrees of freedom and blended with a running average of earlier
    batches, which weighs as much as `prior` of them: W = (S + prior * W0) / (N - way + prior).
    With one shot there is no within-class variance to see and W = W0, a pooled prior; z then
    tells only where the class means differ. W0 is learned from batches of more than one shot; an
    encoder that was trained on one-shot tasks alone has W0 = 1.

    The small convolutional network keeps its 4x4 map (of 28x28 images) and shares nothing with
    the extractor.
    """

    within: Tensor
    tells_labellings: ClassVar[bool] = True

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
        super().__init__()
        self.embedding_dim, self.prior, self.momentum = embedding_dim, prior, momentum
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
        self.register_buffer("within", torch.ones(embedding_dim))

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

    def summarise(
        self,
        embedded: Float[Tensor, "task example embedding"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task embedding"]:
        """log B - log W of the labelling given."""
        means = class_means(embedded, labels, way)
        index = labels.unsqueeze(-1).expand(-1, -1, means.shape[-1])
        squares = (embedded - means.gather(1, index)).square().sum(1)
        freedom = labels.shape[1] - way
        if self.training and freedom > 0:
            self._remember(squares / freedom)
        within = (squares + self.prior * self.within) / (freedom + self.prior)
        return (means.var(dim=1) + EPSILON).log() - (within + EPSILON).log()

    @torch.no_grad()
    def _remember(self, within: Float[Tensor, "task embedding"]) -> None:
        self.within.lerp_(within.mean(0), self.momentum)
