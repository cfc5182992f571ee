"""What separates the classes of a task among the extractor's own features."""

from __future__ import annotations

from typing import Annotated, final

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.modes import running
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.parts.encoder.contrast import Contrast


@final
class FeatureContrast(Contrast):
    """z = log B - log W of the unconditioned extractor's features: see `Contrast`.

    It has no weights of its own and costs a second pass over the support set, which is normalised
    by running statistics and leaves them alone. For networks whose features know more than one
    thing of an image: those of a pretrained one, with what a neck reads of its stages.
    """

    def __init__(
        self,
        feature_dim: int,
        *,
        prior: Annotated[float, Above(0)] = 1.0,
        momentum: Annotated[float, AtLeast(0)] = 0.05,
    ) -> None:
        super().__init__(feature_dim, prior, momentum)

    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example embedding"]:
        with running(features):
            found: Tensor = features(images)
        return found.float()
