"""Data sets that differ from a named one in what their trainings or tests draw.

Naming one makes it known, for the recipe that asks for it.
"""

from __future__ import annotations

from dataclasses import replace

from fewshot_film.config.catalog import ENTRIES
from fewshot_film.data.source import SPLITS
from fewshot_film.tasks.episode import SamplerFactory


def trained_on(name: str, base: str, training: SamplerFactory) -> str:
    """The data set `base` with other training tasks -> its name."""
    ENTRIES[name] = replace(ENTRIES[base], training=training)
    return name


def tested_on(name: str, base: str, tasks: SamplerFactory) -> str:
    """The data set `base` with other tasks in every split -> its name."""
    ENTRIES[name] = replace(ENTRIES[base], evaluation=dict.fromkeys(SPLITS, tasks))
    return name
