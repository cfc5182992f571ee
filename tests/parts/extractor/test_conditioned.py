"""Networks that others wrote as extractors: exact, frozen or learning, in and out of files."""

import copy
import inspect
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any, final

import making
import pytest
import torch
from folded import folded
from laws import networks
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import AdaptiveBatchNorm
from fewshot_film.parts.conditioning import Conditioning, FiLM, SiteParams
from fewshot_film.parts.extractor import (
    ConditionedNetwork,
    Conv4,
    Preprocessing,
    Site,
    condition,
)
from fewshot_film.parts.statistics import one_pass
from fewshot_film.parts.statistics.domain import with_statistics
from fewshot_film.tasks.episode import LabeledSet

IMAGES = making.pictures(2, 3)
every_kind = pytest.mark.parametrize("name", networks.MODULES)


def plain(name: str) -> nn.Module:
    """The network as others left it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return networks.module(name)


def conditioned(module: nn.Module, sites: str = "all", **options: Any) -> ConditionedNetwork:
    return condition(module, sites, preprocessing=networks.preprocessing(), **options)


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """On the scale of the largest value."""
    assert found.shape == expected.shape
    scale = float(expected.detach().abs().max())
    return float((found - expected).detach().abs().max()) / scale


# --- exact


@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_without_parameters_it_is_the_plain_module(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    module, images = plain(name).to(dtype), IMAGES.to(dtype)
    net = conditioned(module)
    assert largest_difference(net(images)[1], module(images[1])) < tolerance
    neutral = making.identity_params(net, 2)
    assert largest_difference(net(images, neutral)[1], module(images[1])) < tolerance


@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_film_acts_on_weight_and_bias(name: str, dtype: torch.dtype, tolerance: float) -> None:
    """So no site stands behind an activation, whatever the norm's module does after its norm."""
    module, images = plain(name).to(dtype), IMAGES.to(dtype)
    net = conditioned(module)
    params = {
        site: {n: v.to(dtype) for n, v in values.items()}
        for site, values in making.task_params(net, 2).items()
    }
    for t in range(2):
        own = making.of_tasks(params, slice(t, t + 1))
        expected = folded(module, net.crossings, own)(images[t])
        assert largest_difference(net(images, params)[t], expected) < tolerance
        assert largest_difference(module(images[t]), expected) > 0.01


@every_kind
def test_every_norm_is_a_site(name: str) -> None:
    module = plain(name)
    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    norms = {name for name, m in module.named_modules() if isinstance(m, kinds)}
    net = conditioned(module)
    assert set(net.crossings.values()) == norms
    for site, values in net.identity().items():
        weight = getattr(module.get_submodule(net.crossings[site]), "weight", None)
        assert weight is None or len(values["gamma"]) == len(weight)


@every_kind
def test_the_module_stays_as_it_was(name: str) -> None:
    module = plain(name)
    before = copy.deepcopy(module)
    made = conditioned(module, frozen=True).train()
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
    assert torch.equal(module(IMAGES[0]), before(IMAGES[0]))
    assert str(module) == str(before)
    assert all(p.requires_grad for p in module.parameters())


def test_several_stages_are_each_of_length_one() -> None:
    module = plain("batch-norms")
    net = conditioned(module, features="stages")
    h = module.relu(module.bn1(module.conv1(IMAGES[0])))  # type: ignore[operator]
    first = module.layer1(h)  # type: ignore[operator]
    maps = [first, module.layer2(first)]  # type: ignore[operator]
    expected = torch.cat([F.normalize(m.mean((2, 3))) for m in maps], dim=1)
    torch.testing.assert_close(net(IMAGES)[0], expected)
    torch.testing.assert_close(net(IMAGES)[0].norm(dim=1), torch.full((3,), 2**0.5))


def test_what_an_activation_in_place_makes_of_a_map_is_not_read() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    nn.init.constant_(module[0].bias, -1.0)  # type: ignore[arg-type]
    net = conditioned(module, features="^1$")
    torch.testing.assert_close(net(IMAGES)[0], module[:2](IMAGES[0]).mean((2, 3)))
    assert (net(IMAGES) < 0).any()


class Turned(nn.Module):
    """As Swin: maps whose channels are last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 5, 4, 4), nn.LayerNorm(5)
        self.linear = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv(x).permute(0, 2, 3, 1))
        out: Tensor = self.linear(h.relu())
        return out


def test_maps_whose_channels_are_last_are_turned() -> None:
    """By what square images showed, though those at hand may be oblong."""
    module = Turned()
    images = making.pictures(1, 2, size=20)[..., :16]
    h = module.norm(module.conv(images[0]).permute(0, 2, 3, 1))
    net = conditioned(module, features="norm")
    torch.testing.assert_close(net(images)[0], h.mean((1, 2)))
    assert [tuple(m.shape) for m in net.tapped(images[0], making.plain_visit)] == [(2, 5, 5, 4)]
    torch.testing.assert_close(conditioned(module)(images)[0], module(images[0]).mean((1, 2)))


def test_a_module_that_is_called_again_is_read_the_last_time() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
            self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.relu(self.conv2(self.relu(self.norm(self.conv1(x)))))
            return h.flatten(1)

    module = Twice().eval()
    net = conditioned(module, features="relu")
    expected = module(IMAGES[0]).unflatten(1, (4, -1)).mean(2)
    torch.testing.assert_close(net(IMAGES)[0], expected)


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
    net, images = conditioned(module), IMAGES[:1]
    with torch.no_grad():
        assert largest_difference(net(images)[0], module(images[0])) < 1e-5
        params = making.task_params(net, 1)
        expected = folded(module, net.crossings, params)(images[0])
        assert largest_difference(net(images, params)[0], expected) < 1e-5
        assert largest_difference(module(images[0]), expected) > 0.01


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
    net = conditioned(module)
    torch.testing.assert_close(net(IMAGES)[0], module(IMAGES[0]))
    with pytest.raises(AttributeError, match="nothing"):
        _ = net.network.norm.nothing  # type: ignore[union-attr]


# --- frozen, or not


@every_kind
def test_a_frozen_network_learns_nothing(name: str) -> None:
    net = conditioned(plain(name)).train()
    assert not any(p.requires_grad for p in net.parameters())
    assert {type(m) for m in net.network.modules() if m.training} == {FiLM}
    assert not net.counts
    before = {key: value.clone() for key, value in net.state_dict().items()}
    params = making.identity_params(net, 2)
    params = {s: {n: v.clone().requires_grad_() for n, v in p.items()} for s, p in params.items()}
    net(3 * IMAGES, params).square().sum().backward()
    assert all(torch.equal(net.state_dict()[key], value) for key, value in before.items())
    for site, values in params.items():
        for value in values.values():
            assert value.grad is not None, site
            assert value.grad.any(), site


@every_kind
def test_a_network_that_is_not_frozen_learns(name: str) -> None:
    net = conditioned(plain(name), frozen=False)
    assert not net.training
    net.train()
    assert all(m.training for m in net.modules())
    assert net.counts == (name in networks.WITH_BATCH_NORMS)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(3 * IMAGES).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    moved = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert bool(moved) == net.counts


def test_what_a_person_froze_stays_frozen() -> None:
    module = plain("batch-norms")
    module.conv1.requires_grad_(False)
    net = conditioned(module, frozen=False)
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["network.conv1.weight"]


def test_dropout_behind_a_norm_is_of_the_training() -> None:
    """It stays behind FiLM when it is taken out of the norm's module, and off while frozen."""
    norm = networks.BatchNormAct2d(4, nn.ReLU, rate=0.5)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), norm, nn.Flatten())
    for frozen in (True, False):
        net = conditioned(module, frozen=frozen).train()
        zero = {"1": {"gamma": torch.zeros(2, 4), "beta": torch.ones(2, 4)}}
        found = net(IMAGES, zero)
        assert set(found.unique().tolist()) == ({1.0} if frozen else {0.0, 2.0})


@final
class Weighing(Conditioning):
    """h -> h + gate * strength, a weight of its own, and noise while it learns."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.strength = nn.Parameter(torch.ones(channels))

    def identity(self) -> SiteParams:
        return {"gate": torch.zeros(self.channels)}

    def forward(self, h: Tensor, params: SiteParams) -> Tensor:
        gate = (params["gate"] * self.strength).view(len(h), 1, -1, *[1] * (h.ndim - 3))
        return h + gate + (torch.randn_like(h) if self.training else 0)


def test_mechanisms_at_a_frozen_network_learn() -> None:
    net = conditioned(plain("batch-norms"), conditioning=Weighing).train()
    assert len([p for p in net.parameters() if p.requires_grad]) == len(net.sites())
    learning = {type(m).__name__ for m in net.network.modules() if m.training}
    assert learning == {"Weighing"}
    params = {s: {"gate": torch.ones(2, *p["gate"].shape)} for s, p in net.identity().items()}
    assert not torch.equal(net(IMAGES, params), net(IMAGES, params))
    net.eval()
    assert torch.equal(net(IMAGES, params), net(IMAGES, params))


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
    net = conditioned(plain("batch-norms"), features="stages", conditioning=Meeting)
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
        conditioned(plain(name), features="stages") for name in ("batch-norms", "token-norms")
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
    net = conditioned(plain("batch-norms"))
    before = net(IMAGES)
    with pytest.raises(KeyError, match="beta"):
        net(IMAGES, {"bn1": {"gamma": torch.ones(2, 6)}})
    assert torch.equal(net(IMAGES), before)
    with pytest.raises(LookupError):
        net.network(IMAGES[0])


# --- copies and files


@every_kind
@pytest.mark.parametrize("features", ["last", "stages"])
def test_copies_and_pickles_are_equal(name: str, features: str) -> None:
    net = conditioned(plain(name), features=features)
    params = making.task_params(net, 2)
    expected, buffer = net(IMAGES, params), io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    for other in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        torch.load(buffer, weights_only=False),
    ):
        assert torch.equal(other(IMAGES, params), expected)
        assert not {id(p) for p in other.parameters()} & {id(p) for p in net.parameters()}
        assert other.train().network.training == net.train().network.training


@every_kind
def test_a_state_dict_survives_a_file(name: str) -> None:
    net, other = (conditioned(plain(name)) for _ in range(2))
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1)
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(IMAGES), net(IMAGES))


@every_kind
def test_an_export_takes_any_number_of_images(name: str) -> None:
    net = conditioned(plain(name), features="stages")
    params = making.task_params(net, 1)
    count = torch.export.Dim("count", min=2, max=64)
    fixed = {site: dict.fromkeys(values) for site, values in params.items()}
    with making.unchecked():
        made = torch.export.export(
            net, (making.pictures(1, 4), params), dynamic_shapes=({1: count}, fixed)
        ).module()
        for images in (making.pictures(1, 7, seed=1), making.pictures(1, 2, seed=2)):
            torch.testing.assert_close(made(images, params), net(images, params))


# --- weights of a package


def published(conditioning: Any = FiLM, frozen: bool = True) -> ConditionedNetwork:
    net = conditioned(plain("batch-norms"), conditioning=conditioning, frozen=frozen)
    return net.of_published()


def test_published_weights_of_a_frozen_network_are_in_no_state_dict() -> None:
    net = nn.Sequential(published(), nn.Linear(12, 2))
    assert set(net.state_dict()) == {"1.weight", "1.bias"}
    net.load_state_dict(net.state_dict())
    assert not published().state_dict()
    published().load_state_dict({})


def test_a_mechanism_s_own_weights_are_in_it_all_the_same() -> None:
    net, other = published(Weighing), published(Weighing)
    names = set(net.state_dict())
    assert names == {
        f"network.{norm}.site.conditioning.strength" for norm in net.crossings.values()
    }
    with torch.no_grad():
        for site in net.sites().values():
            nn.init.normal_(site.conditioning.strength)  # type: ignore[arg-type]
    given = net.state_dict()
    other.load_state_dict(given)
    assert set(given) == names, "what is loaded stays as it is"
    for own, loaded in zip(net.sites().values(), other.sites().values(), strict=True):
        assert torch.equal(own.conditioning.strength, loaded.conditioning.strength)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        other.load_state_dict({**given, "network.more": torch.ones(1)})


def test_weights_that_learned_are_in_it_and_are_taken_from_it() -> None:
    """By a network that stays frozen, too: a state dict is never passed over in silence."""
    learned = published(frozen=False)
    assert set(learned.state_dict()) == set(conditioned(plain("batch-norms")).state_dict())
    with torch.no_grad():
        for weight in learned.parameters():
            weight.mul_(1.5)
    net = published()
    net.load_state_dict(learned.state_dict())
    assert torch.equal(net(IMAGES), learned(IMAGES))


# --- adaptive batch norm


@pytest.mark.parametrize("name", networks.WITH_BATCH_NORMS)
@torch.no_grad()
def test_adaptive_batch_norm_by_hand(name: str) -> None:
    """Layer by layer: the support set's moments under those of the layers below."""
    module = plain(name).double()
    net, support, query = conditioned(module), IMAGES[:1].double(), IMAGES[1:].double()
    params = AdaptiveBatchNorm()(LabeledSet(support, torch.zeros(1, 3, dtype=torch.int64)), 1, net)

    def adapt(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        var, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        norm.running_mean, norm.running_var = mean, var

    by_hand = copy.deepcopy(module)
    norms = [m for m in by_hand.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(adapt) for norm in norms]
    torch.testing.assert_close(net(support, params)[0], by_hand(support[0]))
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(net(query, params)[0], by_hand(query[0]))
    assert largest_difference(net(query), net(query, params)) > 1e-3


def test_a_prior_counts_the_networks_own_statistics() -> None:
    net = conditioned(plain("plain-batch-norms"))
    support = LabeledSet(IMAGES, torch.zeros(2, 3, dtype=torch.int64))
    torch.testing.assert_close(
        net(IMAGES, AdaptiveBatchNorm(prior=1e9)(support, 1, net)), net(IMAGES), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("name", networks.WITH_BATCH_NORMS)
def test_a_domain_s_statistics_take_the_place_of_the_networks_own(name: str) -> None:
    """Of batch norms without weights, too."""
    net = conditioned(plain(name))
    found = one_pass(net, [IMAGES[:1], IMAGES[1:]])
    support = LabeledSet(IMAGES, torch.zeros(2, 3, dtype=torch.int64))
    params = AdaptiveBatchNorm(found)(support, 1, net)
    torch.testing.assert_close(net(IMAGES, params), with_statistics(net, found)(IMAGES))


# --- what is refused


def sequence(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), *modules)


class Hiding(nn.BatchNorm2d):
    """An activation in a norm's code, where it cannot be taken out."""

    def __init__(self, act: Callable[[Tensor], Tensor], affine: bool = True) -> None:
        super().__init__(4, affine=affine)
        self.by = act

    def forward(self, x: Tensor) -> Tensor:
        return self.by(super().forward(x))


@pytest.mark.parametrize("act", [F.relu, F.silu, F.leaky_relu, F.gelu, torch.tanh, F.relu6])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_that_hides_an_activation(act: Callable[[Tensor], Tensor], affine: bool) -> None:
    """Whatever its weights are: at first the last of a block are zero in many networks."""
    norm = Hiding(act, affine)
    message = (
        r"the norm '1', a Hiding, does more after its weight and bias.*leave it out by `sites`"
    )
    for zero in (False, True):
        if zero and affine:
            nn.init.zeros_(norm.weight)
        with pytest.raises(UsageError, match=message):
            conditioned(sequence(norm))
        assert norm.weight is None or bool((norm.weight == (0 if zero else 1)).all())
    assert conditioned(sequence(norm, nn.BatchNorm2d(4)), "^2$").crossings == {"2": "2"}


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.shared, self.norm = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.shared(self.conv1(x))
        out: Tensor = self.norm(self.shared(self.conv2(h)))
        return out.mean((2, 3))


def test_a_norm_that_is_passed_twice() -> None:
    """It is refused as a site, and stays what it is where it is left out."""
    module = Shared().eval()
    message = "the norm 'shared' was given 3 and 3 rows for 3 images; a site is passed once, with"
    with pytest.raises(UsageError, match=message):
        conditioned(module)
    torch.testing.assert_close(conditioned(module, "^norm$")(IMAGES)[0], module(IMAGES[0]))


class Rows(nn.Module):
    """Its norm sees patches as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 8, 8), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv(x).flatten(2).transpose(1, 2)
        return self.norm(h.flatten(0, 1)).unflatten(0, h.shape[:2]).mean(1)


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(input=self.conv(x))
        return h.mean((2, 3))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = sequence(nn.BatchNorm2d(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), x


class Elsewhere(nn.Module):
    """It calls its norm by a name that is no module's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.held = [self.norm]

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.held[0](self.conv(x))
        return h.mean((2, 3))


class Collision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a_b, self.a = nn.BatchNorm2d(1), nn.ModuleDict({"b": nn.BatchNorm2d(1)})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.a["b"](self.a_b(x))
        return out.mean((2, 3))


def ends(module: nn.Module) -> nn.Module:
    return sequence(nn.BatchNorm2d(4), module)


REFUSED = [
    (Rows, "the norm 'norm' was given 12 rows for 3 images; a site is passed once, with a row for"),
    (Keyword, "the norm 'norm' was given no rows for 3 images; .* leave it out by `sites`"),
    (Pair, "Pair does not give one tensor with a row of features for each image; wrap it in a mod"),
    (lambda: ends(nn.Flatten(0)), "does not give one tensor with a row of features for each image"),
    (
        lambda: ends(nn.Linear(3, 4)),
        r"does not take images of shape \(1, 16, 16\) \(.*shape.*\); sa",
    ),
    (
        lambda: nn.Conv2d(3, 4, 3),
        r"Conv2d does not take images of shape \(1, 16, 16\) \(.*\); say by",
    ),
    (
        lambda: sequence(nn.ReLU()),
        "`sites` is 'all', and the network holds no norm, where sites st",
    ),
    (
        lambda: nn.BatchNorm2d(1),
        "`sites` is 'all', and the network holds no norm, where sites stan",
    ),
    (
        lambda: sequence(nn.BatchNorm2d(4, track_running_stats=False)),
        "Sequential gives an image other features beside other images, .*; let its batch norms ke",
    ),
    (
        lambda: sequence(nn.LayerNorm((14, 14))),
        "the norm '1', a LayerNorm, has no axis of channels that its weight acts on one by one; l",
    ),
    (Elsewhere, "Elsewhere does not call its norm 'norm' as the module that it holds by this name"),
    (Collision, "the sites at the norms 'a_b' and 'a.b' would have one name, a_b; rename a module"),
    (lambda: Conv4(FiLM), "Conv4 does not take images of shape .*an extractor takes images as"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_a_module_that_cannot_be_conditioned(module: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        conditioned(module())
    assert "\n" not in str(raised.value)


def test_a_network_without_norms_may_be_left_without_sites() -> None:
    module = sequence(nn.ReLU())
    net = conditioned(module, "none")
    assert not net.sites()
    torch.testing.assert_close(net(IMAGES)[0], module(IMAGES[0]).mean((2, 3)))


def test_images_that_the_network_does_not_take() -> None:
    wants = Preprocessing(mean=(0.0,), std=(1.0,), size=16, fixed=True)
    net = condition(plain("batch-norms"), preprocessing=wants)
    net.check_images(IMAGES)
    with pytest.raises(UsageError, match="takes images of 1 channels, these have 3; convert them"):
        net.check_images(making.pictures(2, channels=3))
    with pytest.raises(UsageError, match="takes images of 16x16 pixels, these have 20x20; resize"):
        net.check_images(making.pictures(2, size=20))


def test_the_network_normalises_pixels_as_it_is_used_to() -> None:
    wants = Preprocessing(mean=(0.5,), std=(0.25,), size=16)
    module = plain("batch-norms")
    net = condition(module, preprocessing=wants)
    torch.testing.assert_close(net(IMAGES)[0], module((IMAGES[0] - 0.5) / 0.25))


def test_tapped_maps_come_in_the_order_of_the_data_flow() -> None:
    net = conditioned(plain("batch-norms"), features="stages")
    shapes = [tuple(h.shape[1:]) for h in net.tapped(IMAGES[0], making.plain_visit)]
    assert shapes == [(6, 16, 16), (12,)]
