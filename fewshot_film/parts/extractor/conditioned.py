"""condition: any torch module -> an Extractor, with sites at the norms that it has."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor.base import ConditioningFactory, Extractor, Site, Visit
from fewshot_film.parts.extractor.choosing import averaged, chosen_sites, chosen_taps
from fewshot_film.parts.extractor.norms import Norm, norm_of
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing
from fewshot_film.parts.extractor.probing import probed

_VISIT: ContextVar[Visit] = ContextVar("visit")
"""What takes h through a site in the pass at hand, of this thread alone."""
_TAPPED: ContextVar[list[Tensor]] = ContextVar("tapped")
"""What the modules that give the features gave so far in the pass at hand."""

IMAGES = 2
"""How many images look a network over."""
AS_THEY_ARE = Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, size=64)
"""Colour images in [0, 1], and 64 pixels a side to look a network over."""


def condition(
    module: nn.Module,
    sites: str = "all",
    *,
    features: str = "last",
    conditioning: ConditioningFactory = FiLM,
    preprocessing: Preprocessing = AS_THEY_ARE,
    frozen: bool = True,
) -> ConditionedNetwork:
    """Any torch module, images -> features, as an Extractor with sites at its norms.

    `sites` names the norms: "all", "none", "early" or "late" (the first or the last third of the
    data flow), "last", or a regular expression that is searched for in their names: "depthwise" for
    those of one role, "layer[34]" for those of some depth. Norms may be of any kind whose last
    step is an affine map of every channel. That is where a site stands: before an activation that
    the norm's module may hold.

    `features` are "last", what the module gives; "stages", the last map of each resolution and
    what the module gives; or the outputs of modules that a regular expression names. All are
    averaged over positions; several are made of length one each and put side by side.

    The module is copied. If `frozen`, it is not trained and its norms stay in evaluation mode.
    Without task parameters the result is the plain module.
    """
    network = copy.deepcopy(module)
    probe = probed(network, preprocessing(_images(network, preprocessing)))
    taps = chosen_taps(network, probe, features)
    norms = {
        name: norm_of(name, network.get_submodule(name), probe.norms[name], IMAGES)
        for name in chosen_sites(list(probe.norms), sites)
    }
    return ConditionedNetwork(network, norms, taps, conditioning, preprocessing, frozen)


def _images(network: nn.Module, preprocessing: Preprocessing) -> Tensor:
    """A few, of the size and channels that the network is for, where its weights are."""
    shape = (IMAGES, preprocessing.channels, preprocessing.size, preprocessing.size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return images.to(next(network.parameters(), images))


@final
class Crossing(nn.Module):
    """h -> rest(site(h)), where a network's norm was: the pass at hand says what the site does."""

    def __init__(self, name: str, site: Site, axis: int, rest: nn.Module) -> None:
        super().__init__()
        self.name, self.site, self.axis, self.rest = name, site, axis, rest

    def forward(self, h: Tensor) -> Tensor:
        out = _VISIT.get()(self.name, self.site, h.movedim(self.axis, 1))
        rested: Tensor = self.rest(out.movedim(1, self.axis))
        return rested


class ConditionedNetwork(Extractor):
    """A network that others wrote, which crosses a site where each of some norms was."""

    def __init__(
        self,
        network: nn.Module,
        norms: Mapping[str, Norm],
        taps: Sequence[str],
        conditioning: ConditioningFactory,
        preprocessing: Preprocessing,
        frozen: bool,
    ) -> None:
        """`network` is taken over: its `norms`, by name, become crossings."""
        super().__init__(channels=preprocessing.channels)
        self.preprocessing, self.frozen = preprocessing, frozen
        self.crossings = {name.replace(".", "_"): name for name in norms}
        for site_name, name in self.crossings.items():
            norm = norms[name]
            site = Site(norm.channels, conditioning, norm.kept)
            _replace(network, name, Crossing(site_name, site, norm.axis, norm.rest))
        for name in taps:
            network.get_submodule(name).register_forward_hook(_tapped)
        self.network = network.requires_grad_(not frozen)
        self.published = False
        self.train(False)

    def train(self, mode: bool = True) -> ConditionedNetwork:
        """As ever, but that a frozen network stays in evaluation mode."""
        super().train(mode)
        self.network.train(mode and not self.frozen)
        return self

    def of_published(self) -> ConditionedNetwork:
        """Itself, where the weights come with a package: while frozen, no state dict holds them."""
        self.published = True
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """What is not published: the mechanisms' own weights, or all of a network that learns."""
        found = super().state_dict(*args, **kwargs)
        for name in self._published(kwargs.get("prefix", "")):
            del found[name]
        return found

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        own = dict(self.network.state_dict(prefix=f"{prefix}network.", keep_vars=True))
        state_dict.update((name, own[name]) for name in self._published(prefix))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _published(self, prefix: str) -> list[str]:
        """The names of the weights that their package holds, as they stand in a state dict."""
        if not (self.published and self.frozen):
            return []
        names = self.network.state_dict(prefix=f"{prefix}network.")
        return [name for name in names if ".site.conditioning." not in name]

    def check_images(self, images: Tensor) -> None:
        super().check_images(images)
        self.preprocessing.check(images)

    def sites(self) -> dict[str, Site]:
        network = self.network.get_submodule
        return {name: network(f"{at}.site") for name, at in self.crossings.items()}  # type: ignore[misc]

    @property
    def counts(self) -> bool:
        return not self.frozen and super().counts

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        parts = [averaged(h) for h in self.tapped(images, at)]
        return parts[0] if len(parts) == 1 else torch.cat([F.normalize(p) for p in parts], dim=1)

    def tapped(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> list[Tensor]:
        """What the modules that give the features give, in the order of the data flow."""
        visiting, tapping = _VISIT.set(at), _TAPPED.set([])
        try:
            self.network(self.preprocessing(images))
            return _TAPPED.get()
        finally:
            _VISIT.reset(visiting)
            _TAPPED.reset(tapping)


def _tapped(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
    del module, inputs
    _TAPPED.get().append(output)


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    around, _, last = name.rpartition(".")
    setattr(network.get_submodule(around), last, module)
