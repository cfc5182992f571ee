"""Instance normalization (Ulyanov et al. 2016): moments for each channel of an image."""

from __future__ import annotations

from fewshot_film.parts.normalization.group import GroupNorm


def instance_norm(channels: int) -> GroupNorm:
    """Every channel as a group."""
    return GroupNorm(channels, groups=channels)
