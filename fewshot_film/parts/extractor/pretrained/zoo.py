"""Networks of others by name."""

from __future__ import annotations

from pathlib import Path

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.from_timm import timm_network
from fewshot_film.parts.extractor.pretrained.from_torchvision import torchvision_network
from fewshot_film.parts.extractor.pretrained.lite import LITES, efficientnet_lite
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.own_file import from_file

LIBRARIES = {"timm": timm_network, "torchvision": torchvision_network}


def pretrained_network(name: str, *, trained: bool = True) -> Pretrained:
    """lite0, timm:NAME, torchvision:NAME or FILE.py:FUNCTION -> the network and what it wants.

    Without `trained` the weights are random ones, which torch's global generator draws; a file
    decides for itself.
    """
    where, _, inner = name.rpartition(":")
    if where in LIBRARIES:
        return LIBRARIES[where](inner, trained=trained)
    if where.endswith(".py"):
        return from_file(Path(where), inner)
    if name in LITES:
        return efficientnet_lite(name, trained=trained)
    raise UsageError(
        f"there is no network {name!r}; name {', '.join(LITES)}, timm:NAME, torchvision:NAME or "
        "FILE.py:FUNCTION"
    )
