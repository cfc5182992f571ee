"""Random ways of changing a picture, more of them than anyone could name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from fewshot_film.tasks.operations import colour, geometry
from fewshot_film.tasks.operations.base import Operations, draw


class Kind(NamedTuple):
    """How many kinds of step there are, and (operations, images, key) -> image i under i."""

    steps: int
    applied: Callable[[Operations, Tensor, Tensor], Tensor]


KINDS: Mapping[str, Kind] = {
    "colour": Kind(len(colour.COLOUR), colour.applied),
    "geometry": Kind(len(geometry.GEOMETRY), geometry.applied),
}

__all__ = ["KINDS", "Kind", "Operations", "draw"]
