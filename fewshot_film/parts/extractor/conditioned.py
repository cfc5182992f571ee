"""condition: any torch module -> an Extractor, with sites at the norms that it has."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.files import tensors_sha256
from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor.base import ConditioningFactory, Extractor, Site, Visit
from fewshot_film.parts.extractor.choosing import chosen_sites, chosen_taps
from fewshot_film.parts.extractor.crossing import crossed, passed, sites_of, tap
from fewshot_film.parts.extractor.norms import Norm, norm_of
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing
from fewshot_film.parts.extractor.probing import averaged, laid_out, probed

IMAGES = 3
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
    images = _images(network, preprocessing)
    probe = probed(network, preprocessing(images))
    taps = {name: probe.maps[name].turned for name in chosen_taps(network, probe, features)}
    norms = {
        name: norm_of(name, network.get_submodule(name), probe.norms[name], IMAGES)
        for name in chosen_sites(list(probe.norms), sites)
    }
    made = ConditionedNetwork(
        network, norms, taps, conditioning, preprocessing, probe.channels_last, frozen
    )
    _check_crossed(made, images)
    return made


def _images(network: nn.Module, preprocessing: Preprocessing) -> Tensor:
    """A few, of the size and channels that the network is for, where its weights are."""
    shape = (IMAGES, preprocessing.channels, preprocessing.size, preprocessing.size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return images.to(next(network.parameters(), images))


def _check_crossed(made: ConditionedNetwork, images: Tensor) -> None:
    """Every site is passed once, by whichever way the network comes to its norms."""
    seen = list[str]()

    def note(name: str, site: Site, h: Tensor) -> Tensor:
        seen.append(name)
        return site(h.unsqueeze(0), {}).squeeze(0)

    with evaluating(made):
        made.tapped(images, note)
    if missed := [norm for name, norm in made.crossings.items() if seen.count(name) != 1]:
        raise UsageError(
            f"{type(made.network).__name__} does not call its norm {missed[0]!r} as the module "
            "that it holds by this name; make it do so, or leave the norm out by `sites`"
        )


class ConditionedNetwork(Extractor):
    """A network that others wrote, which crosses a site where each of some norms was."""

    def __init__(
        self,
        network: nn.Module,
        norms: Mapping[str, Norm],
        taps: Mapping[str, bool],
        conditioning: ConditioningFactory,
        preprocessing: Preprocessing,
        channels_last: bool,
        frozen: bool,
    ) -> None:
        """`network` is taken over: its `norms`, by name, become crossings.

        `taps` are the modules that give the features, and whether they give channels last.
        """
        super().__init__(channels=preprocessing.channels)
        self.preprocessing, self.frozen, self.channels_last = preprocessing, frozen, channels_last
        self.taps = tuple(taps)
        if frozen:  # before there are mechanisms, whose own weights learn all the same
            network.requires_grad_(False)
        self.crossings = crossed(network, norms, conditioning)
        tap(network, taps)
        self.network = network
        self.published = False
        self.train(False)

    def train(self, mode: bool = True) -> ConditionedNetwork:
        """As ever, but that a frozen network stays in evaluation mode; its mechanisms do not."""
        super().train(mode)
        if self.frozen:
            self.network.train(False)
            for site in self.sites().values():
                site.conditioning.train(mode)
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
        own = self.network.state_dict(prefix=f"{prefix}network.", keep_vars=True)
        for name in self._published(prefix):
            state_dict.setdefault(name, own[name])
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
        found = sites_of(self.network)
        return {name: found[name] for name in self.crossings}

    @property
    def counts(self) -> bool:
        return not self.frozen and super().counts

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        if self.reads and images.shape[2:] == (1, 1):
            return images.flatten(1)
        parts = [averaged(h) for h in self.tapped(images, at)]
        return parts[0] if len(parts) == 1 else torch.cat([F.normalize(p) for p in parts], dim=1)

    @property
    def reads(self) -> bool:
        return self.frozen and not self.crossings

    def read(
        self, images: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image feature 1 1"]:
        """The features, which nothing changes while the network is frozen and has no sites."""
        with evaluating(self):
            return self(images.unsqueeze(0)).squeeze(0)[:, :, None, None]

    def reader_id(self) -> str:
        weights = tensors_sha256(self.network.state_dict().values())
        return f"{type(self).__name__} {self.preprocessing} {' '.join(self.taps)} {weights}"

    def tapped(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> list[Tensor]:
        """What the modules that give the features give, in the order of the data flow."""
        laid = laid_out(self.preprocessing(images), self.channels_last)
        return passed(self.network, laid, at)
