"""What linear heads share: features as they see them, and small systems to solve."""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.parts.head.base import Features, HeadParams, Logits, Queries

Square: TypeAlias = Float[Tensor, "*batch example example"]


def centred(
    features: Features, normalized: bool
) -> tuple[Features, Float[Tensor, "task 1 feature"]]:
    """Features, of length 1 if `normalized`, less their mean over the support set; and the mean."""
    values = F.normalize(features, dim=2) if normalized else features
    mean = values.mean(1, keepdim=True)
    return values - mean, mean


def linear_params(
    weight: Float[Tensor, "task way feature"],
    mean: Float[Tensor, "task 1 feature"],
    level: Float[Tensor, "task way"],
) -> HeadParams:
    """z -> W (z - m) + level, as a weight and a bias."""
    return {"weight": weight, "bias": level - (weight @ mean.transpose(1, 2)).squeeze(2)}


def linear_logits(queries: Queries, fitted: HeadParams, normalized: bool) -> Logits:
    """W z + b, of z of length 1 if `normalized`."""
    values = F.normalize(queries, dim=2) if normalized else queries
    return torch.baddbmm(fitted["bias"].unsqueeze(1), values, fitted["weight"].transpose(1, 2))


def cholesky(matrix: Square) -> Square:
    """L with L L^T = matrix, without an error where features are not finite: logits show it."""
    factor: Tensor = torch.linalg.cholesky_ex(matrix).L
    return factor


def plus_identity(matrix: Square, times: Tensor | float) -> Float[Tensor, "*wider example example"]:
    """matrix + times * I."""
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return matrix + times * identity
