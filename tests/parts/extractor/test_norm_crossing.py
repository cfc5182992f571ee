"""Norms of every kind of module become crossings, and a pass meets its own parameters there."""

import inspect
import threading
from collections.abc import Callable
from typing import final

import making
import pytest
import torch
from folded import folded
from laws import networks
from torch import Tensor, nn

from fewshot_film.parts.conditioning import Conditioning, SiteParams
from fewshot_film.parts.extractor import (
    Site,
    condition,
)

IMAGES = making.pictures(2, 3)


# --- kinds of module


class View(nn.Module):
    """As in many a network: a view, which images that lie channels-last do not have."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, 4, 3, stride=2), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(self.conv(x))
        return h.view(h.size(0), -1)


class Aliased(nn.Module):
    """A norm that goes by two names, and is called by the second."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.norms = nn.ModuleList([self.first])

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norms[0](self.conv(x))
        return h.relu().mean((2, 3))


class Tokens(nn.Module):
    """torch's own transformer, which passes by its norms' modules where no gradient is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, 4)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.encoder(self.patches(x).flatten(2).transpose(1, 2))
        return tokens.mean(1)


class LastAxis(nn.Module):
    """A norm over the last axis of a map of one place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 16), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return h.relu().mean((1, 2))


class Flat(nn.Module):
    """Norms of features, without places, and one without weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm1 = nn.Conv2d(1, 6, 3, stride=2), nn.BatchNorm1d(6)
        self.linear, self.norm2 = nn.Linear(6, 5), nn.LayerNorm(5, elementwise_affine=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(self.conv(x).flatten(2)).relu().mean(2)
        out: Tensor = self.norm2(self.linear(h))
        return out.tanh()


class Unweighed(nn.Module):
    """Norms without weights: the type of one that permutes does not say where its channels lie."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 4, 4), nn.Conv2d(6, 6, 3, padding=1)
        self.permuting = networks.LayerNorm2d(6, elementwise_affine=False)
        self.grouped = nn.GroupNorm(3, 6, affine=False)
        self.instance = nn.InstanceNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        h = self.permuting(self.conv1(x)).relu()
        h = self.instance(self.grouped(self.conv2(h))).relu()
        out: Tensor = h.mean((2, 3))
        return out


class ActsFirst(nn.Module):
    """As timm's EvoNorm2dS1: its module's activation comes before weight and bias."""

    class EvoNorm(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))
            self.act = nn.SiLU()

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.act(x) / x.std((1, 2, 3), keepdim=True)
            return h * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), self.EvoNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(self.conv(x))
        return h.relu().mean((2, 3))


KINDS: list[Callable[[], nn.Module]] = [
    View,
    Aliased,
    LastAxis,
    Flat,
    Unweighed,
    ActsFirst,
]


@pytest.mark.parametrize("kind", KINDS)
def test_modules_of_other_kinds(kind: Callable[[], nn.Module]) -> None:
    """The plain module without parameters, and FiLM at weight and bias with them."""
    module = kind().eval()
    making.lived_in(module)
    net, images = networks.conditioned(module), IMAGES[:1]
    with torch.no_grad():
        assert networks.largest_difference(net(images)[0], module(images[0])) < 1e-5
        params = making.task_params(net, 1)
        expected = folded(module, net.crossings, params)(images[0])
        assert networks.largest_difference(net(images, params)[0], expected) < 1e-5
        assert networks.largest_difference(module(images[0]), expected) > 0.01


CALLS_ITS_NORMS = "hooks" in inspect.getsource(nn.TransformerEncoderLayer)


@pytest.mark.skipif(not CALLS_ITS_NORMS, reason="this torch passes by its norms")
def test_torchs_own_transformer() -> None:
    test_modules_of_other_kinds(Tokens)


def test_networks_that_view_are_given_images_as_they_take_them() -> None:
    wants = networks.preprocessing(channels=3)
    for module, channels_last in ((View(3), False), (networks.module("batch-norms", 3), True)):
        net, images = (
            condition(module.eval(), preprocessing=wants),
            making.pictures(1, 2, channels=3),
        )
        assert net.channels_last == channels_last
        torch.testing.assert_close(net(images)[0], module(images[0]))


def test_what_a_network_reads_of_its_norm_is_the_norms() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, eps=0.5)

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.norm(self.conv(x)).mean((2, 3))
            return h * self.norm.eps + self.norm.weight

    module = Reading().eval()
    net = networks.conditioned(module)
    torch.testing.assert_close(net(IMAGES)[0], module(IMAGES[0]))
    with pytest.raises(AttributeError, match="nothing"):
        _ = net.network.norm.nothing  # type: ignore[union-attr]


# --- the pass at hand


@final
class Meeting(Conditioning):
    """h -> h + shift, once another thread is there, too."""

    barrier: threading.Barrier | None = None

    def identity(self) -> SiteParams:
        return {"shift": torch.zeros(self.channels)}

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        if Meeting.barrier is not None:
            Meeting.barrier.wait(timeout=30)
        return h + params["shift"].view(len(h), 1, -1, *[1] * (h.ndim - 3))


def test_two_threads_at_once_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own parameters and features, though both are always at the same site."""
    net = networks.conditioned(
        networks.plain("batch-norms"), features="stages", conditioning=Meeting
    )
    given = [
        {s: {"shift": torch.full((2, *p["shift"].shape), by)} for s, p in net.identity().items()}
        for by in (-1.0, 1.0)
    ]
    expected = [net(IMAGES, params) for params in given]
    assert not torch.allclose(*expected)
    monkeypatch.setattr(Meeting, "barrier", threading.Barrier(2))
    found: dict[int, Tensor] = {}

    def run(i: int) -> None:
        with torch.no_grad():
            found[i] = net(IMAGES, given[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[i], expected[i]) for i in range(2))


def test_a_pass_inside_a_pass() -> None:
    """Of the same network and of another, at every site."""
    net, other = (
        networks.conditioned(networks.plain(name), features="stages")
        for name in ("batch-norms", "token-norms")
    )
    alone, others = net(IMAGES), other(IMAGES)
    inside = list[Tensor]()

    def looking(name: str, site: Site, h: Tensor) -> SiteParams:
        del name, site, h
        inside.extend((net(IMAGES), other(IMAGES)))
        return {}

    assert not net.described(IMAGES, describe=looking)
    assert len(inside) == 2 * len(net.sites())
    assert all(torch.equal(h, alone) for h in inside[::2])
    assert all(torch.equal(h, others) for h in inside[1::2])
    assert torch.equal(net(IMAGES), alone)


def test_a_pass_that_fails_leaves_nothing_behind() -> None:
    net = networks.conditioned(networks.plain("batch-norms"))
    before = net(IMAGES)
    with pytest.raises(KeyError, match="beta"):
        net(IMAGES, {"bn1": {"gamma": torch.ones(2, 6)}})
    assert torch.equal(net(IMAGES), before)
    with pytest.raises(LookupError):
        net.network(IMAGES[0])
