"""TaskNorm-I: the image's own moments channel by channel (Bronskill et al. 2020)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from fewshot_film.base.moments import last_axis_moments
from fewshot_film.parts.normalization.base import precise
from fewshot_film.parts.normalization.task_norm import TaskNorm


@final
class TaskNormInstance(TaskNorm):
    """TaskNorm with instance normalisation's moments: those of every channel of an image."""

    def image_moments(
        self, h: Float[Tensor, "task example channel *space"]
    ) -> tuple[Float[Tensor, "task example channel"], Float[Tensor, "task example channel"]]:
        return last_axis_moments(precise(h).flatten(3))
