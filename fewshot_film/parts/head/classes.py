"""What the labels say of features: the classes' sizes, their means, and what is left over."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F


def class_means(
    values: Float[Tensor, "task example feature"], labels: Int64[Tensor, "task example"], way: int
) -> Float[Tensor, "task way feature"]:
    """The mean value of every class; a class without examples has mean 0. Never in bfloat16."""
    with torch.autocast(values.device.type, enabled=False):
        member = F.one_hot(labels, way).to(values.dtype)
        counts = member.sum(1).clamp(min=1).unsqueeze(-1)
        return member.transpose(1, 2) @ values / counts


def class_sizes(labels: Int64[Tensor, "task example"], way: int) -> Int64[Tensor, "task way"]:
    """How many examples every class has."""
    return F.one_hot(labels, way).sum(1)


def own(
    values: Float[Tensor, "task way feature"], labels: Int64[Tensor, "task example"]
) -> Float[Tensor, "task example feature"]:
    """Each example's share of what every class has: the value of its own class."""
    return values.gather(1, labels.unsqueeze(2).expand(-1, -1, values.shape[2]))


def residuals(
    values: Float[Tensor, "task example feature"], labels: Int64[Tensor, "task example"], way: int
) -> Float[Tensor, "task example feature"]:
    """Each value less the mean of its class."""
    return values - own(class_means(values, labels, way), labels)
