"""Adaptive batch norm of any network (Li et al., Pattern Recognition 2018).

Every batch norm keeps its weight and bias and takes its mean and variance from the target domain.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.statistics.domain import (
    DomainStatistics,
    Moments,
    batch_norms,
    check_prior,
    moments,
    set_moments,
    source_statistics,
    with_statistics,
)

ENOUGH = 64
"""Images of the smallest sample that helped in the paper (section 4.3)."""


class FewImagesWarning(UserWarning):
    """Statistics of so few images that they may be worse than the source's."""


Batches: TypeAlias = Iterable[Tensor]
"""Batches of what the network takes; images (image, channel, height, width), for one."""

Estimator: TypeAlias = Callable[[nn.Module, Sequence[Tensor]], DomainStatistics]
"""(network, batches of the target domain) -> its statistics; the network is left as it is."""


def adapt_batchnorm(
    network: nn.Module,
    batches: Sequence[Tensor],
    *,
    estimator: Estimator | None = None,
    prior: float = 0.0,
) -> nn.Module:
    """(network, batches of the target domain) -> a copy with that domain's statistics.

    `estimator` is `one_pass` unless given. With `prior`, the source's statistics count as so many
    images of the target domain. The network that is given is not changed. For a stream, which can
    be read only once: `with_statistics(network, online(network, stream))`.
    """
    check_prior(prior)
    found = (estimator or one_pass)(network, batches)
    images = min(moments.images for moments in found.norms.values())
    if images + prior < ENOUGH:
        warnings.warn(
            f"adaptive batch norm from {images:.0f} images: with 16 or 32 the paper fell below the "
            f"network as it was (65.2 and 66.1 against 70.3 %), from {ENOUGH} on it rose above; "
            "give more images, or a prior",
            FewImagesWarning,
            stacklevel=2,
        )
    if prior:
        found = source_statistics(network, prior).merged(found)
    return with_statistics(network, found)


def one_pass(network: nn.Module, batches: Batches) -> DomainStatistics:
    """Every batch once, normalised below by its own moments; the moments are merged.

    What a layer sees depends on how the layers below are normalised: here by each batch alone, so
    batches should be large and mixed.
    """
    merged: dict[str, Moments] = {}

    def own(name: str, found: Moments) -> Moments:
        merged[name] = _joined(merged.get(name), found)
        return found

    _pass_through(copy.deepcopy(network), batches, own)
    return _of_all(network, merged)


def online(
    network: nn.Module, batches: Batches, *, start: DomainStatistics | None = None
) -> DomainStatistics:
    """A stream: every batch once, normalised below by all that was seen up to and with it.

    Memory does not grow with the stream; `start` goes on from earlier statistics.
    """
    merged = dict(start.norms) if start else {}

    def seen_so_far(name: str, found: Moments) -> Moments:
        merged[name] = _joined(merged.get(name), found)
        return merged[name]

    _pass_through(copy.deepcopy(network), batches, seen_so_far)
    return _of_all(network, merged)


def layer_by_layer(network: nn.Module, batches: Batches) -> DomainStatistics:
    """Exact: each layer's moments over all batches under the adapted layers below it.

    It passes over the batches as often as there are batch norms, in the order of their use.
    """
    _check_several(batches)
    if not isinstance(batches, Sequence):  # a loader may shuffle, a stream ends
        raise UsageError(
            f"layer_by_layer passes over the same batches again and again, and was given a "
            f"{type(batches).__name__}; pass a list of them, such as list(batches)"
        )
    made, done = copy.deepcopy(network), dict[str, Moments]()
    for name in _order_of_use(made, batches[:1]):
        merged: dict[str, Moments] = {}

        def one_layer(norm: str, found: Moments, merged: dict[str, Moments] = merged) -> Moments:
            merged[norm] = _joined(merged.get(norm), found)
            return done.get(norm, found)

        _pass_through(made, batches, one_layer)
        done[name] = merged[name]
    return _of_all(network, done)


def _order_of_use(network: nn.Module, batches: Sequence[Tensor]) -> list[str]:
    used: dict[str, Moments] = {}
    _pass_through(copy.deepcopy(network), batches, used.setdefault)
    return list(used)


def _of_all(network: nn.Module, found: dict[str, Moments]) -> DomainStatistics:
    """Batch norms that no image came to, as of a head for training alone, keep the source's."""
    if not found:
        raise UsageError(
            f"no image came to a batch norm of {type(network).__name__}; it normalises in another "
            "way, which adaptive batch norm cannot replace"
        )
    images = max(moments.images for moments in found.values())
    source = source_statistics(network, images).norms
    unused = {name: moments for name, moments in source.items() if name not in found}
    return DomainStatistics({**found, **unused})


def _joined(earlier: Moments | None, found: Moments) -> Moments:
    return earlier.merged(found) if earlier else found


def _pass_through(
    network: nn.Module, batches: Batches, decide: Callable[[str, Moments], Moments]
) -> None:
    """Every batch through the network, whose norms use what `decide(name, moments)` says."""

    def hook(norm: nn.Module, inputs: tuple[Tensor], name: str) -> None:
        assert isinstance(norm, _BatchNorm)
        set_moments(norm, decide(name, moments(inputs[0])))

    _check_several(batches)
    hooks = [
        norm.register_forward_pre_hook(partial(hook, name=name))
        for name, norm in batch_norms(network).items()
    ]
    count, device = 0, next(network.buffers()).device
    try:
        with evaluating(network):
            for count, batch in enumerate(batches, 1):
                _check(batch, count)
                network(batch.to(device))
    finally:
        for handle in hooks:
            handle.remove()
    if not count:
        raise UsageError("adaptive batch norm was given no batch; pass images of the target domain")


def _check_several(batches: object) -> None:
    if isinstance(batches, Tensor):
        raise UsageError(
            f"the batches are one tensor, of shape {tuple(batches.shape)}; pass a list of batches, "
            "such as [images]"
        )


def _check(batch: object, number: int) -> None:
    if not isinstance(batch, Tensor):
        raise UsageError(
            f"batch {number} of the target domain is a {type(batch).__name__}; pass tensors of "
            "images alone, such as (images for images, labels in loader)"
        )
    if not batch.numel():
        raise UsageError(f"batch {number} of the target domain holds no images")
    exact = torch.promote_types(batch.dtype, torch.float32)  # half a precision's sum may overflow
    if not batch.is_floating_point() or batch.sum(dtype=exact).isfinite():
        return
    images = batch.flatten(0, -4) if batch.ndim > 4 else batch
    # the sum of finite values may overflow
    if len(broken := (~images.flatten(1).isfinite().all(1)).nonzero()):
        raise UsageError(
            f"image {int(broken[0])} of batch {number} holds values that are not finite"
        )
