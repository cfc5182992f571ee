"""Conditioning: what stands at a site of a network and is steered by the task's parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

SiteParams: TypeAlias = dict[str, Tensor]
"""name -> (task, *shape): what one site is given, for every task of the batch."""

TaskParams: TypeAlias = dict[str, SiteParams]
"""site -> SiteParams: everything that the support sets of a batch of tasks decided."""


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


def per_channel(
    value: Float[Tensor, "task channel"], h: Float[Tensor, "task example channel *space"]
) -> Tensor:
    """(task, channel) -> (task, 1, channel, 1, ...), in h's dtype, ready to broadcast over h."""
    return value.to(h.dtype).reshape(value.shape[0], 1, value.shape[1], *[1] * (h.ndim - 3))
