"""Task encoders that break a law."""

from typing import final

import making
import torch
from torch import Tensor, nn

from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.tasks.episode import LabeledSet

SIZE = 4


class Mean(TaskEncoder):
    """The mean of a linear map of the pixels, which breaks no law."""

    embedding_dim = SIZE

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(making.SIZE**2, SIZE)

    def embed(self, images: Tensor, features: nn.Module) -> Tensor:
        del features
        found: Tensor = self.linear(images.flatten(2))
        return found

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        del labels, way
        return embedded.float().mean(1)


@final
class Unsized(Mean):
    """It gives less than it says."""

    embedding_dim = SIZE + 1


@final
class ForwardApart(Mean):
    """Its forward is another function than its two steps."""

    def forward(self, support: LabeledSet, way: int, features: nn.Module) -> Tensor:
        return super().forward(support, way, features) + 1


@final
class LabelsKept(Mean):
    """It summarises by the first labels that it saw in evaluation."""

    labels: Tensor | None = None

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        if not self.training:
            self.labels = labels = labels if self.labels is None else self.labels
        return super().summarise(embedded * labels.unsqueeze(2), labels, way)


@final
class Claiming(Mean):
    """It says that it tells labellings, and does not."""

    tells_labellings = True


@final
class Ordered(Mean):
    """It weighs images by their places."""

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        return super().summarise(by_place(embedded), labels, way)


@final
class OrderedInTraining(Mean):
    """It weighs images by their places in training alone."""

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        weighed = by_place(embedded) if self.training else embedded
        return super().summarise(weighed, labels, way)


@final
class Numbering(Mean):
    """It takes the numbers of the classes for amounts."""

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        return super().summarise(embedded * labels.unsqueeze(2), labels, way)


@final
class MixingTasks(Mean):
    """It takes the mean of all tasks away."""

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        z = super().summarise(embedded, labels, way)
        return z - z.mean(0)


@final
class MixingImages(Mean):
    """It embeds an image by its distance from the others."""

    def embed(self, images: Tensor, features: nn.Module) -> Tensor:
        found = super().embed(images, features)
        return found - found.mean(1, keepdim=True)


@final
class Half(Mean):
    """It leaves the precision to autocast."""

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        del labels, way
        return embedded.mean(1)


@final
class Detached(Mean):
    """No gradient reaches the images."""

    def embed(self, images: Tensor, features: nn.Module) -> Tensor:
        return super().embed(images.detach(), features)


@final
class Averaging(Mean):
    """It keeps a running mean, in evaluation too."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(SIZE))

    def summarise(self, embedded: Tensor, labels: Tensor, way: int) -> Tensor:
        z = super().summarise(embedded, labels, way)
        self.seen.lerp_(z.detach().mean(0), 0.1)
        return z - self.seen


def by_place(embedded: Tensor) -> Tensor:
    return embedded * torch.arange(1.0, embedded.shape[1] + 1).view(-1, 1)
