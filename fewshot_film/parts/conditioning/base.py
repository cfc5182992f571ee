"""Conditioning: what stands at a site of a network and is steered by the task's parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

SiteParams: TypeAlias = dict[str, Tensor]
"""name -> (task, *shape): what one site is given, for every task of the batch."""

TaskParams: TypeAlias = dict[str, SiteParams]
"""site -> SiteParams: everything that the support sets of a batch of tasks decided."""


Affine: TypeAlias = tuple[Float[Tensor, "task channel"], Float[Tensor, "task channel"]]
"""(scale, shift) of every task and channel: what an affine map of channels does."""


class Conditioning(nn.Module, ABC):
    """(h, params) -> h of the same shape, each task with its own parameters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @abstractmethod
    def identity(self) -> SiteParams:
        """name -> neutral value for one task, without a task axis; also names and shapes."""

    @abstractmethod
    def forward(
        self, h: Float[Tensor, "task example channel *space"], params: SiteParams
    ) -> Float[Tensor, "task example channel *space"]: ...

    def affine(self, params: SiteParams) -> Affine | None:
        """(scale, shift) if h -> scale * h + shift is all that these parameters do."""
        del params
        return None


def per_channel(
    value: Float[Tensor, "task channel"], h: Float[Tensor, "task example channel *space"]
) -> Tensor:
    """(task, channel) -> (task, 1, channel, 1, ...), in h's dtype, ready to broadcast over h."""
    return value.to(h.dtype).reshape(value.shape[0], 1, value.shape[1], *[1] * (h.ndim - 3))


def channel_affine(
    h: Float[Tensor, "task example channel *space"], affine: Affine
) -> Float[Tensor, "task example channel *space"]:
    """scale * h + shift, in one reading of h."""
    scale, shift = affine
    return torch.addcmul(per_channel(shift, h), h, per_channel(scale, h))
