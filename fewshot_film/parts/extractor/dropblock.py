"""DropBlock (Ghiasi et al. 2018), as MetaOptNet uses it (Lee et al. 2019)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError


@final
class DropBlock(nn.Module):
    """h -> h * mask * count / kept in training, where the mask is zero on squares; h in evaluation.

    Each channel of each image draws its own squares of `size` x `size` values, from torch's global
    generator; on a map that is smaller, the largest that fits. With `size` 1 it is dropout. The
    share of the map that squares cover, were they not to overlap, rises linearly to `rate` over the
    first `ramp_steps` batches of training, which are counted with the weights (an encoder that
    passes the support set through the extractor adds one a step, and so do normalizations that keep
    its moments); with 1 it is `rate` from the start.
    """

    batches: Tensor

    def __init__(self, rate: float, size: int, *, ramp_steps: int = 40_000) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise UsageError(f"the drop rate is {rate}; pass 0 or more and less than 1")
        self.rate, self.size, self.ramp_steps = rate, size, ramp_steps
        self.register_buffer("batches", torch.tensor(0))

    def forward(
        self, h: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image channel height width"]:
        if not self.training:
            return h
        self.batches += 1
        mask = self._mask(h)
        return h * mask * (mask.numel() / mask.sum().clamp(min=1))

    def share(self) -> Float[Tensor, ""]:
        """What the batch at hand should lose: rate * min(1, batches / ramp_steps)."""
        return self.rate * (self.batches / self.ramp_steps).clamp(max=1)

    def _mask(
        self, h: Float[Tensor, "image channel height width"]
    ) -> Bool[Tensor, "image channel height width"]:
        """False on the squares, whose upper left corners are drawn with the probability gamma."""
        height, width = h.shape[2:]
        size = min(self.size, height, width)
        rows, columns = height - size + 1, width - size + 1
        gamma = self.share() / size**2 * (height * width) / (rows * columns)
        # float32, since bfloat16 draws zero once in 256 times
        corners = torch.rand_like(h[..., :rows, :columns], dtype=torch.float32) < gamma
        around = F.pad(corners.float(), [size - 1] * 4)
        return F.max_pool2d(around, size, stride=1) == 0
