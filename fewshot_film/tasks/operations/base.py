"""Operations: random compositions of parametric steps, as numbers that can be kept and indexed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

STEPS = 3
"""An operation has one to as many, all of different kinds."""
NUMBERS = 27
"""In [0, 1): what a step makes its parameters of. It takes the first of them, or all."""

Numbers = Float[Tensor, "image number"]


@dataclass(frozen=True, eq=False)
class Operations:
    """Operation -> the kinds of its steps, first to last, and the numbers of each.

    A step of kind -1 is none.
    """

    kinds: Int64[Tensor, "operation step"]
    numbers: Float[Tensor, "operation step number"]

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, which: Int64[Tensor, " chosen"]) -> Operations:
        return Operations(self.kinds[which], self.numbers[which])

    def to(self, device: torch.device) -> Operations:
        """The same operations on `device`."""
        return Operations(self.kinds.to(device), self.numbers.to(device))


def draw(kinds: int, count: int, rng: torch.Generator) -> Operations:
    """`count` operations of 1 to STEPS steps each, out of so many kinds.

    The first of many are those that fewer would be.
    """
    unit = torch.rand(count, 1 + kinds + STEPS * NUMBERS, generator=rng, device=rng.device).cpu()
    length, keys, numbers = unit.split([1, kinds, STEPS * NUMBERS], dim=1)
    used = torch.arange(STEPS) < 1 + (STEPS * length).long()
    order = keys.argsort(dim=1)[:, :STEPS]
    return Operations(order.masked_fill(~used, -1), numbers.unflatten(1, (STEPS, NUMBERS)))
