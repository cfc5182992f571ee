"""Sites where a network that others wrote had norms, and one pass through such a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, final

from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.base import ConditioningFactory, Site, Visit
from fewshot_film.parts.extractor.choosing import FEATURES
from fewshot_film.parts.extractor.norms import Norm
from fewshot_film.parts.extractor.probing import channels_first

_VISIT: ContextVar[Visit] = ContextVar("visit")
"""What takes h through a site in the pass at hand, of this thread alone."""
_TAPPED: ContextVar[dict[str, Tensor]] = ContextVar("tapped")
"""module -> what it gave last, for those that give the features, in the pass at hand."""


@final
class Crossing(nn.Module):
    """h -> rest(site(h)), where a network's norm was: the pass at hand says what the site does.

    What a network reads of its norm, such as `eps`, is the norm's.
    """

    def __init__(self, name: str, site: Site, axis: int, rest: nn.Module) -> None:
        super().__init__()
        self.name, self.site, self.axis, self.rest = name, site, axis, rest
        # torch's TransformerEncoderLayer passes by its norms, unless there are hooks
        self.register_forward_hook(_nothing)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            site = self.__dict__.get("_modules", {}).get("site")
            if site is None:  # while it is being made, or read from a pickle
                raise
            (norm,) = site.norm.children()
            return getattr(norm, name)

    def forward(self, h: Tensor) -> Tensor:
        out = _VISIT.get()(self.name, self.site, h.movedim(self.axis, 1))
        rested: Tensor = self.rest(out.movedim(1, self.axis))
        return rested


def crossed(
    network: nn.Module, norms: Mapping[str, Norm], conditioning: ConditioningFactory
) -> dict[str, str]:
    """Put a crossing in the place of each of the network's norms; site -> norm."""
    names = _site_names(norms)
    for site_name, name in names.items():
        norm = norms[name]
        site = Site(norm.channels, conditioning, norm.kept)
        _replace(network, name, Crossing(site_name, site, norm.axis, norm.rest))
    return names


def sites_of(network: nn.Module) -> dict[str, Site]:
    """The sites of its crossings."""
    return {m.name: m.site for m in network.modules() if isinstance(m, Crossing)}


def tap(network: nn.Module, taps: Mapping[str, bool]) -> None:
    """Have these modules' outputs noted in every pass; `taps` says which give channels last."""
    for name, turned in taps.items():
        network.get_submodule(name).register_forward_hook(partial(_tapped, name, turned))


def passed(network: nn.Module, images: Tensor, at: Visit) -> list[Tensor]:
    """What the tapped modules give, in the order of the data flow; `at` decides at every site."""
    visiting, tapping = _VISIT.set(at), _TAPPED.set({})
    try:
        network(images)
        return list(_TAPPED.get().values())
    finally:
        _VISIT.reset(visiting)
        _TAPPED.reset(tapping)


def _tapped(
    name: str, turned: bool, module: nn.Module, inputs: tuple[Any, ...], output: Tensor
) -> None:
    del module, inputs
    tapped = _TAPPED.get()
    tapped.pop(name, None)
    # an activation in place may follow, though not where the network ends
    kept = output if name == FEATURES else output.clone()
    tapped[name] = channels_first(kept, turned)


def _nothing(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
    del module, inputs, output


def _site_names(norms: Iterable[str]) -> dict[str, str]:
    """site -> norm: names of modules without the dots."""
    names = dict[str, str]()
    for norm in norms:
        name = norm.replace(".", "_")
        if name in names:
            raise UsageError(
                f"the sites at the norms {names[name]!r} and {norm!r} would have one name, {name}; "
                "rename a module, or leave one out by `sites`"
            )
        names[name] = norm
    return names


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    """The module of that name, by every name that it has."""
    old = network.get_submodule(name)
    for alias, found in list(network.named_modules(remove_duplicate=False)):
        if found is old:
            around, _, last = alias.rpartition(".")
            setattr(network.get_submodule(around), last, module)
