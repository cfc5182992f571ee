"""Splits by name."""

from collections.abc import Mapping
from typing import TypeVar

from fewshot_film.errors import UsageError

Part = TypeVar("Part")


def part_of(parts: Mapping[str, Part], split: str, data_set: str) -> Part:
    """parts, split -> parts[split]; the error names the splits there are."""
    if split not in parts:
        raise UsageError(f"{data_set} has no split {split!r}: choose one of {', '.join(parts)}")
    return parts[split]
