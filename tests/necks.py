"""Small pretrained networks with a neck: what learns to read their stages."""

from typing import Any

import making
import pytest
from laws import networks
from torch import Tensor

from fewshot_film.parts.conditioning import CONDITIONINGS
from fewshot_film.parts.extractor import condition
from fewshot_film.parts.extractor.necked import Necked


def necked(sites: str = "none", conditioning: str = "film") -> Necked:
    """Lived-in and evaluating; without inner sites it reads every image always alike."""
    maker = CONDITIONINGS.read(conditioning).maker
    network = condition(
        networks.module("batch-norms"),
        sites,
        features="stages",
        conditioning=maker,
        preprocessing=networks.preprocessing(),
    )
    made = Necked(network, maker, 5)
    making.lived_in(made.linear)
    making.lived_in(made.site, seed=1)
    return made.eval()


def passes(net: Necked, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images the network under the neck is given from now on, pass by pass."""
    found, real = list[int](), net.network.tapped

    def tapped(images: Tensor, at: Any) -> list[Tensor]:
        found.append(len(images))
        return real(images, at)

    monkeypatch.setattr(net.network, "tapped", tapped)
    return found
