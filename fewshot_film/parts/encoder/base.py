"""TaskEncoder: support set -> task embedding z, in two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.tasks.episode import LabeledSet


class TaskEncoder(nn.Module, ABC):
    """(support, way) -> z, whatever the order of the support set: `embed`, then `summarise`.

    Images that were embedded once can be summarised under any labelling of them. An encoder that
    reads the extractor's own features is lent `features`, the unconditioned extractor, which maps
    (task, example, ...) images to (task, example, feature); it never owns it.
    """

    embedding_dim: int

    tells_labellings: ClassVar[bool] = False
    """Whether z depends on how the same images are labelled."""
    steers_statistics: bool = False
    """Whether its own pass over the support set meets the extractor's running statistics otherwise
    than every pass does."""

    def check_images(self, images: Tensor) -> None:
        """Images are of a shape that it can look at, or an error says which that is."""

    @abstractmethod
    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example embedding"]:
        """Each image on its own."""

    @abstractmethod
    def summarise(
        self,
        embedded: Float[Tensor, "task example embedding"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task summary"]:
        """What the labelled set says of its task."""

    def forward(
        self, support: LabeledSet, way: int, features: nn.Module
    ) -> Float[Tensor, "task summary"]:
        return self.summarise(self.embed(support.images, features), support.labels, way)
