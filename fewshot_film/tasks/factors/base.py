"""What a factor is, and which of its levels are for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

Factor: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(images (image, 3, H, W) in [0, 1], level (image,) float, key (image,)) -> images of that level.

A level is a place on a scale of LEVELS, and may lie a little beside a whole number. An image's key
is its own chance, if a factor takes any: what one image becomes depends on no other.
"""

LEVELS = 10
"""On every scale; between neighbours of SEEN and of UNSEEN the eye tells the difference."""

# The held-out levels lie between those of training, and one beyond them. Where levels differ in
# kind, as textures do, they are other kinds.
SEEN = (0, 2, 4, 6, 8)
UNSEEN = (1, 3, 5, 7, 9)
