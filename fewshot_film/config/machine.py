"""Machine: where a run is computed, which changes none of its figures but by rounding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from fewshot_film.base.device import choose_device
from fewshot_film.data.root import data_root


@dataclass(frozen=True)
class Machine:
    """What a Config leaves open: the device, where data lie, and whether progress is shown."""

    device: str = "auto"
    """auto (a GPU if there is one), cpu or cuda."""
    data_root: Path | None = None
    """Where data sets are, or are downloaded to (default: $FEWSHOT_FILM_DATA, else a cache)."""
    progress: bool = True
    """Show progress bars."""

    @property
    def place(self) -> torch.device:
        """The device itself."""
        return choose_device(self.device)

    @property
    def root(self) -> Path:
        """The folder of the data sets."""
        return data_root(self.data_root)


HERE = Machine()
"""This machine, as it is found."""
