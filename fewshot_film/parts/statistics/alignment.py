"""Correlation alignment, CORAL (Sun, Feng and Saenko, AAAI 2016, section 3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from fewshot_film.errors import UsageError


def correlation_alignment(
    source: Float[Tensor, "source_image source_feature"],
    target: Float[Tensor, "target_image target_feature"],
    *,
    ridge: float = 1.0,
) -> nn.Linear:
    """z -> m_s + (C_s + ridge I)^(1/2) (C_t + ridge I)^(-1/2) (z - m_t), as a layer.

    It gives target features the source's mean m_s and, exactly where ridge is 0, its covariance
    C_s, so that a classifier of source features fits them. The paper maps the source to the target
    and trains a classifier anew, which a network that is already trained does not need; its ridge
    is 1. No labels are looked at. It goes behind adaptive batch norm: the features of each domain
    come from the network with that domain's statistics.
    """
    if not 0 <= ridge < float("inf"):
        raise UsageError(f"ridge is {ridge}; pass 0 or more")
    (source_mean, source_cov), (target_mean, target_cov) = (
        _moments(name, features) for name, features in (("source", source), ("target", target))
    )
    if len(source_mean) != len(target_mean):
        raise UsageError(
            f"the source has {len(source_mean)} features, the target {len(target_mean)}; take both "
            "from one network"
        )
    matrix = _power(source_cov, ridge, 0.5) @ _power(target_cov, ridge, -0.5)
    size = len(source_mean)
    layer = skip_init(nn.Linear, size, size, device=target.device, dtype=target.dtype)
    layer.requires_grad_(False)
    layer.weight.copy_(matrix)
    layer.bias.copy_(source_mean - matrix @ target_mean)
    return layer


def _moments(
    name: str, features: Float[Tensor, "image feature"]
) -> tuple[Float[Tensor, " feature"], Float[Tensor, "feature feature"]]:
    """Mean and unbiased covariance, in float64."""
    if len(features) < 2:
        raise UsageError(f"the {name} holds {len(features)} images; a covariance needs at least 2")
    if not features.isfinite().all():
        worst = int((~features.isfinite().all(1)).nonzero()[0])
        raise UsageError(f"the features of {name} image {worst} are not finite")
    precise = features.detach().double()
    mean = precise.mean(0)
    apart = precise - mean
    return mean, apart.T @ apart / (len(features) - 1)


def _power(
    covariance: Float[Tensor, "feature feature"], ridge: float, exponent: float
) -> Float[Tensor, "feature feature"]:
    """(covariance + ridge I)^exponent, of a symmetric matrix by its eigenvalues."""
    values, vectors = torch.linalg.eigh(covariance)
    # rounding leaves the eigenvalues of a singular matrix just below zero
    values = values.clamp(min=0) + ridge
    if exponent < 0 and float(values[0]) <= 1e-12 * float(values[-1]):
        raise UsageError(
            f"the covariance of {len(values)} features is singular and ridge is {ridge}; pass a "
            "larger ridge, or features of more images"
        )
    scaled: Tensor = vectors * values.pow(exponent)
    return scaled @ vectors.T
