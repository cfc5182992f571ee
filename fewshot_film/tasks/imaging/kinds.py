"""Changes that differ in kind, each applied to the images that are to have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Int64
from torch import Tensor


def by_kind(
    values: Tensor,
    kind: Int64[Tensor, " image"],
    changes: Sequence[Callable[..., Tensor]],
    *per_image: Tensor,
) -> Tensor:
    """values[i] -> changes[kind[i]](values, *per_image)[i]; a kind that is none leaves it alone.

    A change is given the images of its kind only.
    """
    out = values.clone()
    for number, change in enumerate(changes):
        chosen = (kind == number).nonzero().squeeze(1)
        if len(chosen):
            out[chosen] = change(values[chosen], *(value[chosen] for value in per_image))
    return out
