"""The mean of the class prototypes as task embedding (TADAM, Oreshkin et al. 2018, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias, final

from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.base.modes import running, uncounted
from fewshot_film.errors import UsageError
from fewshot_film.parts.encoder.base import TaskEncoder
from fewshot_film.parts.head import class_means

Statistics: TypeAlias = Literal["counted", "uncounted", "running"]

PASSES: Mapping[Statistics, Callable[[nn.Module], AbstractContextManager[Any]]] = {
    "counted": nullcontext,
    "uncounted": uncounted,
    "running": running,
}


@final
class PrototypeMean(TaskEncoder):
    """z = mean over classes of the mean unconditioned feature of each class.

    It costs a second pass over the support set. In training, that pass also feeds the batch norms'
    running statistics (`statistics` "counted", as in TADAM's code), leaves them alone
    ("uncounted"), or is normalised by them already ("running"), so that a task's embedding depends
    on no other task of the batch. z sees where the task lies, not what separates its classes: tasks
    that differ only in which attribute is asked have one and the same z.
    """

    def __init__(self, feature_dim: int, *, statistics: Statistics = "counted") -> None:
        super().__init__()
        self.embedding_dim, self.statistics = feature_dim, statistics
        self.steers_statistics = statistics != "counted"

    def embed(
        self, images: Float[Tensor, "task example channel height width"], features: nn.Module
    ) -> Float[Tensor, "task example feature"]:
        with PASSES[self.statistics](features):
            found: Tensor = features(images)
        if found.shape[2] != self.embedding_dim:
            height, width = images.shape[-2:]
            raise UsageError(
                f"images of {height}x{width} pixels have {found.shape[2]} features, the task "
                f"encoder was made for {self.embedding_dim}; give the size that it was trained on"
            )
        return found.float()

    def summarise(
        self,
        embedded: Float[Tensor, "task example feature"],
        labels: Int64[Tensor, "task example"],
        way: int,
    ) -> Float[Tensor, "task feature"]:
        return class_means(embedded, labels, way).mean(1)
