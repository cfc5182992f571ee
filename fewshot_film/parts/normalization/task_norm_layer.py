"""TaskNorm-L: the image's own moments over all channels (Bronskill et al. 2020)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.base.moments import last_axis_moments
from fewshot_film.parts.normalization.base import precise
from fewshot_film.parts.normalization.task_norm import TaskNorm


@final
class TaskNormLayer(TaskNorm):
    """TaskNorm with layer normalisation's moments: one mean and variance for a whole image."""

    def image_moments(
        self, h: Float[Tensor, "task example channel *space"]
    ) -> tuple[Float[Tensor, "task example 1"], Float[Tensor, "task example 1"]]:
        mean, var = last_axis_moments(precise(h).flatten(2))
        return mean.unsqueeze(2), var.unsqueeze(2)
