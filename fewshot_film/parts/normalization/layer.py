"""Layer normalization (Ba et al. 2016): one mean and variance for a whole image."""

from __future__ import annotations

from fewshot_film.parts.normalization.group import GroupNorm


def layer_norm(channels: int) -> GroupNorm:
    """All channels as one group."""
    return GroupNorm(channels, groups=1)
