"""What the batch norms of a network know of a domain: moments to save, load, swap and mix."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fewshot_film.base.files import load_tensors, save_tensors
from fewshot_film.base.moments import channel_moments, merged_moments
from fewshot_film.errors import UsageError


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and biased variance of every channel, in float64, and the images they stand for.

    A batch norm that a network uses twice counts each image twice.
    """

    mean: Float[Tensor, " channel"]
    var: Float[Tensor, " channel"]
    images: float

    def __post_init__(self) -> None:
        if not 0 < self.images < math.inf:
            raise UsageError(f"moments stand for {self.images} images; pass a number above 0")

    def merged(self, other: Moments) -> Moments:
        """The moments of both samples together (Chan et al. 1983).

        With n = n_1 + n_2 and d = mean_2 - mean_1: mean = mean_1 + d n_2 / n and var =
        (n_1 var_1 + n_2 var_2) / n + d^2 n_1 n_2 / n^2. The paper's online form divides d by n_1
        alone, which is zero at the start of a stream.
        """
        images = self.images + other.images
        place = self.mean.device
        own, others = (self.mean, self.var), (other.mean.to(place), other.var.to(place))
        return Moments(*merged_moments(own, others, other.images / images), images)


@dataclass(frozen=True, eq=False)
class DomainStatistics:
    """name of a batch norm -> its Moments in one domain."""

    norms: Mapping[str, Moments]

    def merged(self, other: DomainStatistics) -> DomainStatistics:
        """Those of both domains' images together."""
        _check_same_names(self.norms, other.norms)
        return DomainStatistics(
            {name: found.merged(other.norms[name]) for name, found in self.norms.items()}
        )

    def counting_as(self, images: float) -> DomainStatistics:
        """The same moments, to be merged as if they stood for so many images."""
        return DomainStatistics(
            {name: Moments(m.mean, m.var, images) for name, m in self.norms.items()}
        )

    def save(self, path: Path | str) -> None:
        """Write a safetensors file."""
        tensors = {f"{name}/mean": m.mean for name, m in self.norms.items()}
        tensors |= {f"{name}/var": m.var for name, m in self.norms.items()}
        save_tensors(Path(path), tensors, {name: repr(m.images) for name, m in self.norms.items()})

    @staticmethod
    def load(path: Path | str) -> DomainStatistics:
        """Read what `save` wrote."""
        tensors, images = load_tensors(Path(path))
        try:
            return DomainStatistics(
                {
                    name: Moments(tensors[f"{name}/mean"], tensors[f"{name}/var"], float(count))
                    for name, count in sorted(images.items())
                }
            )
        except (KeyError, ValueError) as error:
            raise UsageError(f"{path} holds no statistics of batch norms ({error})") from error


def source_statistics(network: nn.Module, images: float = 1.0) -> DomainStatistics:
    """The network's own running statistics, to be merged as if they stood for `images` images."""
    found = {}
    for name, norm in batch_norms(network).items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, var = (
            value.to(torch.float64, copy=True) for value in (norm.running_mean, norm.running_var)
        )
        found[name] = Moments(mean, var, images)
    return DomainStatistics(found)


def check_prior(prior: float) -> None:
    """The source counts as no image or as more."""
    if not 0 <= prior < math.inf:
        raise UsageError(f"prior is {prior}; pass 0 or more images")


def with_statistics(network: nn.Module, statistics: DomainStatistics) -> nn.Module:
    """A copy of the network whose batch norms hold these statistics."""
    check_same_norms(network, statistics)
    made = copy.deepcopy(network)
    for name, norm in batch_norms(made).items():
        set_moments(norm, statistics.norms[name])
    return made


def check_same_norms(network: nn.Module, statistics: DomainStatistics) -> None:
    """The statistics are of this network's batch norms, all of them."""
    _check_same_names(batch_norms(network), statistics.norms)


def _check_same_names(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    if odd := first.keys() ^ second.keys():
        raise UsageError(f"the statistics are of another network: one of both has no {min(odd)!r}")


def moments(h: Float[Tensor, "image channel *space"]) -> Moments:
    """Each channel's mean and biased variance over images and positions."""
    return Moments(*channel_moments(h), float(len(h)))


def set_moments(norm: _BatchNorm, moments: Moments) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(moments.mean)
    norm.running_var.copy_(moments.var)


def batch_norms(network: nn.Module) -> dict[str, _BatchNorm]:
    """name -> batch norm; an error names a network without any."""
    found = {name: m for name, m in network.named_modules() if isinstance(m, _BatchNorm)}
    if not found:
        raise UsageError(
            f"{type(network).__name__} holds no batch norm to adapt; fine-tune it on the target "
            "domain, or condition it with a learned adapter"
        )
    for name, norm in found.items():
        if norm.running_mean is None:
            raise UsageError(f"the batch norm {name} keeps no running statistics to replace")
    return found
