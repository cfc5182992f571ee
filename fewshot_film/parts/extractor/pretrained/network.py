"""Pretrained: a network that others trained, and what must be known to use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import nn

from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing


@final
@dataclass(frozen=True)
class Pretrained:
    """A network without its classifier: images, preprocessed -> features, in evaluation mode.

    `licence` is that of the weights, `source` where they come from; `packaged` says that they are
    the very ones of an installed package.
    """

    module: nn.Module
    preprocessing: Preprocessing
    licence: str
    source: str
    packaged: bool = False
