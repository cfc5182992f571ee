"""What one pass through a module shows: the norms that it meets, and the maps that it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.norms import is_norm

ALIKE = 1e-2
"""How far features may be from each other, on the scale of the largest, and be the same."""


@final
@dataclass(frozen=True)
class Map:
    """The shape of what a module gave, channels first, and its mean over positions."""

    shape: tuple[int, ...]
    mean: Tensor
    turned: bool
    """Whether the module gives its channels last, as Swin does."""


@final
@dataclass(frozen=True)
class Probe:
    """What a pass of so many images met, module by module, in the order of the data flow."""

    images: int
    channels_last: bool
    """Whether it takes images that lie so in memory, which is faster; some take views of them."""
    norms: dict[str, list[Tensor]]
    """norm -> what it was given, each time that it was passed."""
    maps: dict[str, Map]
    """module -> what it gave last, where that is one tensor with a row for each image."""


def averaged(h: Tensor) -> Tensor:
    """A map (image, channel, height, width), or tokens (image, token, channel), over positions."""
    return h.mean(dim=1) if h.ndim == 3 else h.flatten(2).mean(dim=2) if h.ndim > 3 else h


def channels_first(h: Tensor, turned: bool) -> Tensor:
    """A map as others are, if its channels lie last."""
    return h.movedim(-1, 1) if turned else h


def probed(network: nn.Module, images: Tensor) -> Probe:
    """One pass of images, normalised as the network wants them, in evaluation mode."""
    for channels_last in (True, False):
        try:
            probe = _passed(network, images, channels_last)
        except Exception as error:  # whatever a network raises of images that it cannot take
            if channels_last:
                continue
            raise UsageError(
                f"{type(network).__name__} does not take images of shape "
                f"{tuple(images.shape[1:])} ({str(error).partition(chr(10))[0]}); say by "
                "`preprocessing` which it takes"
            ) from error
        _check(network, probe, images)
        return probe
    raise AssertionError("a layout is taken or refused")


def laid_out(images: Tensor, channels_last: bool) -> Tensor:
    """The images, as they are to lie in memory."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return images.contiguous(memory_format=layout)


def _passed(network: nn.Module, images: Tensor, channels_last: bool) -> Probe:
    found = Probe(len(images), channels_last, norms={}, maps={})

    def watching(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def watch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if name and is_norm(module):
                given = found.norms.setdefault(name, [])
                given.extend(h for h in inputs if isinstance(h, Tensor))
            if _is_map(output, len(images)):
                turned = _channels_lie_last(output)
                h = channels_first(output, turned)
                found.maps.pop(name, None)
                found.maps[name] = Map(tuple(h.shape), averaged(h), turned)

        return watch

    hooks = [m.register_forward_hook(watching(name)) for name, m in network.named_modules()]
    try:
        with evaluating(network):
            network(laid_out(images, channels_last))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _is_map(output: Any, images: int) -> bool:
    """Whether it is one tensor of real numbers, a row of them for each image."""
    real = isinstance(output, Tensor) and output.is_floating_point()
    return real and output.ndim > 1 and len(output) == images


def _channels_lie_last(h: Tensor) -> bool:
    """Of a map that was made of square images."""
    return h.ndim == 4 and h.shape[1] == h.shape[2] != h.shape[3]


def _check(network: nn.Module, probe: Probe, images: Tensor) -> None:
    """The network gives features, and an image's depend on that image alone."""
    name = type(network).__name__
    if "" not in probe.maps:
        raise UsageError(
            f"{name} does not give one tensor with a row of features for each image; wrap it in a "
            "module that returns its features"
        )
    together = probe.maps[""].mean[:1]
    with evaluating(network):
        given = network(laid_out(images[:1], probe.channels_last))
        alone = averaged(channels_first(given, probe.maps[""].turned))
    apart = alone.shape != together.shape or (alone - together).abs().max()
    if apart > ALIKE * together.abs().max():
        raise UsageError(
            f"{name} gives an image other features beside other images, or at another time; let "
            "its batch norms keep running statistics, and draw nothing in evaluation"
        )
