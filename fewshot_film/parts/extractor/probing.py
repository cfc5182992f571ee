"""What one pass through a module shows: the norms that it meets, and the maps that it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.norms import is_norm


@final
@dataclass(frozen=True)
class Probe:
    """What a pass of so many images met, module by module, in the order of the data flow."""

    images: int
    norms: dict[str, list[Tensor]]
    """norm -> what it was given, each time that it was passed."""
    maps: dict[str, Tensor]
    """module -> its output, where that is one tensor with a row for each image."""


def probed(network: nn.Module, images: Tensor) -> Probe:
    """One pass of images, normalised as the network wants them, in evaluation mode."""
    given: dict[str, list[Tensor]] = {}
    maps: dict[str, Tensor] = {}

    def watching(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def watch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if is_norm(module):
                given.setdefault(name, []).extend(h for h in inputs if isinstance(h, Tensor))
            if isinstance(output, Tensor) and output.ndim > 1 and len(output) == len(images):
                maps[name] = output

        return watch

    hooks = [m.register_forward_hook(watching(name)) for name, m in network.named_modules()]
    try:
        with evaluating(network):
            network(images)
    except Exception as error:  # whatever a network raises of images that it cannot take
        raise UsageError(
            f"{type(network).__name__} does not take images of shape {tuple(images.shape[1:])} "
            f"({error}); say by `preprocessing` which it takes"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    _check(network, given, maps)
    return Probe(len(images), given, maps)


def _check(network: nn.Module, norms: dict[str, list[Tensor]], maps: dict[str, Tensor]) -> None:
    name = type(network).__name__
    if "" not in maps:
        raise UsageError(
            f"{name} does not give one tensor with a row of features for each image; wrap it in a "
            "module that returns its features"
        )
    if not norms:
        raise UsageError(
            f"{name} holds no norm, and sites stand at norms; add batch, group, layer or RMS "
            "norms, or write an Extractor that has sites"
        )
