"""Adaptive batch norm on the support set (Li et al., Pattern Recognition 2018)."""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.adaptation.base import Adapter
from fewshot_film.conditioning import FiLM, SiteParams, TaskParams
from fewshot_film.episodes import LabeledSet
from fewshot_film.errors import UsageError
from fewshot_film.extractor import Extractor, Site


@final
class AdaptiveBatchNorm(Adapter):
    """Replaces each site's source mean and variance by those of the task's support set.

    Batch norms that are not sites, ResNet-12's shortcuts, keep their running statistics.

    With batch norm y = w * (h - m) / s + b and target moments (m', s'), the replacement is itself
    FiLM: gamma * y + beta = w * (h - m') / s' + b for gamma = s / s' and
    beta = b - gamma * (b + w * (m' - m) / s). One pass over the support set adapts layer by layer:
    each site's moments are taken under the adapted sites below it. There is nothing to train, no
    query is looked at, and the variance is the biased one. The source moments are the running
    statistics, so it belongs to evaluation mode.
    """

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        del way
        params: TaskParams = {}
        hooks = [
            site.register_forward_hook(_align(params, name, len(support.images)))
            for name, site in extractor.sites().items()
        ]
        try:
            extractor(support.images)
        finally:
            for hook in hooks:
                hook.remove()
        return params


def _align(params: TaskParams, name: str, tasks: int) -> Any:
    """A hook that records a site's FiLM and applies it to what flows on."""

    def hook(site: Site, inputs: tuple[Tensor, None], output: Tensor) -> Tensor:
        if not isinstance(site.conditioning, FiLM):
            raise UsageError(
                f"adaptive batch norm scales and shifts, the site {name!r} holds "
                f"{type(site.conditioning).__name__}; use an extractor with FiLM sites"
            )
        params[name] = aligned(site.norm, inputs[0].unflatten(0, (tasks, -1)))
        return site.condition(output, params[name])

    return hook


def aligned(norm: nn.BatchNorm2d, h: Float[Tensor, "task example channel *space"]) -> SiteParams:
    """The FiLM after `norm` that replaces its moments by those of `h`, task by task."""
    source_mean, source_var = norm.running_mean, norm.running_var
    assert source_mean is not None
    assert source_var is not None
    axes = [1, *range(3, h.ndim)]
    var, mean = torch.var_mean(h.float(), dim=axes, correction=0)
    gamma = ((source_var + norm.eps) / (var + norm.eps)).sqrt()
    slope = norm.weight * (source_var + norm.eps).rsqrt()
    # batch norm maps the task's mean to this value, which the aligned one maps to norm.bias
    center = norm.bias + slope * (mean - source_mean)
    return {"gamma": gamma, "beta": norm.bias - gamma * center}
