"""Networks that others wrote as extractors: exact, frozen or learning, in and out of files."""

import copy
import io
import pickle
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
    Preprocessing,
    condition,
)
from fewshot_film.parts.statistics import one_pass
from fewshot_film.parts.statistics.domain import with_statistics
from fewshot_film.tasks.episode import LabeledSet

IMAGES = making.pictures(2, 3)
EVERY = tuple(networks.MODULES)
every_kind = pytest.mark.parametrize("name", EVERY)


# --- exact


@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_without_parameters_it_is_the_plain_module(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    module, images = networks.plain(name).to(dtype), IMAGES.to(dtype)
    net = networks.conditioned(module)
    assert networks.largest_difference(net(images)[1], module(images[1])) < tolerance
    neutral = making.identity_params(net, 2)
    assert networks.largest_difference(net(images, neutral)[1], module(images[1])) < tolerance


@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_film_acts_on_weight_and_bias(name: str, dtype: torch.dtype, tolerance: float) -> None:
    """So no site stands behind an activation, whatever the norm's module does after its norm."""
    module, images = networks.plain(name).to(dtype), IMAGES.to(dtype)
    net = networks.conditioned(module)
    params = {
        site: {n: v.to(dtype) for n, v in values.items()}
        for site, values in making.task_params(net, 2).items()
    }
    for t in range(2):
        own = making.of_tasks(params, slice(t, t + 1))
        expected = folded(module, net.crossings, own)(images[t])
        assert networks.largest_difference(net(images, params)[t], expected) < tolerance
        assert networks.largest_difference(module(images[t]), expected) > 0.01


@every_kind
def test_every_norm_is_a_site(name: str) -> None:
    module = networks.plain(name)
    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    norms = {name for name, m in module.named_modules() if isinstance(m, kinds)}
    net = networks.conditioned(module)
    assert set(net.crossings.values()) == norms
    for site, values in net.identity().items():
        weight = getattr(module.get_submodule(net.crossings[site]), "weight", None)
        assert weight is None or len(values["gamma"]) == len(weight)


@every_kind
def test_the_module_stays_as_it_was(name: str) -> None:
    module = networks.plain(name)
    before = copy.deepcopy(module)
    made = networks.conditioned(module, frozen=True).train()
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
    assert torch.equal(module(IMAGES[0]), before(IMAGES[0]))
    assert str(module) == str(before)
    assert all(p.requires_grad for p in module.parameters())


def test_several_stages_are_each_of_length_one() -> None:
    module = networks.plain("batch-norms")
    net = networks.conditioned(module, features="stages")
    h = module.relu(module.bn1(module.conv1(IMAGES[0])))  # type: ignore[operator]
    first = module.layer1(h)  # type: ignore[operator]
    maps = [first, module.layer2(first)]  # type: ignore[operator]
    expected = torch.cat([F.normalize(m.mean((2, 3))) for m in maps], dim=1)
    torch.testing.assert_close(net(IMAGES)[0], expected)
    torch.testing.assert_close(net(IMAGES)[0].norm(dim=1), torch.full((3,), 2**0.5))


def test_what_an_activation_in_place_makes_of_a_map_is_not_read() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    nn.init.constant_(module[0].bias, -1.0)  # type: ignore[arg-type]
    net = networks.conditioned(module, features="^1$")
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
    net = networks.conditioned(module, features="norm")
    torch.testing.assert_close(net(images)[0], h.mean((1, 2)))
    assert [tuple(m.shape) for m in net.tapped(images[0], making.plain_visit)] == [(2, 5, 5, 4)]
    torch.testing.assert_close(
        networks.conditioned(module)(images)[0], module(images[0]).mean((1, 2))
    )


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
    net = networks.conditioned(module, features="relu")
    expected = module(IMAGES[0]).unflatten(1, (4, -1)).mean(2)
    torch.testing.assert_close(net(IMAGES)[0], expected)


# --- frozen, or not


@every_kind
def test_a_frozen_network_learns_nothing(name: str) -> None:
    net = networks.conditioned(networks.plain(name)).train()
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
    net = networks.conditioned(networks.plain(name), frozen=False)
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
    module = networks.plain("batch-norms")
    module.conv1.requires_grad_(False)
    net = networks.conditioned(module, frozen=False)
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["network.conv1.weight"]


def test_dropout_behind_a_norm_is_of_the_training() -> None:
    """It stays behind FiLM when it is taken out of the norm's module, and off while frozen."""
    norm = networks.BatchNormAct2d(4, nn.ReLU, rate=0.5)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), norm, nn.Flatten())
    for frozen in (True, False):
        net = networks.conditioned(module, frozen=frozen).train()
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
    net = networks.conditioned(networks.plain("batch-norms"), conditioning=Weighing).train()
    assert len([p for p in net.parameters() if p.requires_grad]) == len(net.sites())
    learning = {type(m).__name__ for m in net.network.modules() if m.training}
    assert learning == {"Weighing"}
    params = {s: {"gate": torch.ones(2, *p["gate"].shape)} for s, p in net.identity().items()}
    assert not torch.equal(net(IMAGES, params), net(IMAGES, params))
    net.eval()
    assert torch.equal(net(IMAGES, params), net(IMAGES, params))


# --- copies and files


@every_kind
@pytest.mark.parametrize("features", ["last", "stages"])
def test_copies_and_pickles_are_equal(name: str, features: str) -> None:
    net = networks.conditioned(networks.plain(name), features=features)
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
    net, other = (networks.conditioned(networks.plain(name)) for _ in range(2))
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1)
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(IMAGES), net(IMAGES))


@pytest.mark.parametrize(
    "name",
    [n if n == "norms-with-acts" else pytest.param(n, marks=pytest.mark.slow) for n in EVERY],
)
def test_an_export_takes_any_number_of_images(name: str) -> None:
    net = networks.conditioned(networks.plain(name), features="stages")
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
    net = networks.conditioned(
        networks.plain("batch-norms"), conditioning=conditioning, frozen=frozen
    )
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
    assert set(learned.state_dict()) == set(
        networks.conditioned(networks.plain("batch-norms")).state_dict()
    )
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
    module = networks.plain(name).double()
    net, support, query = networks.conditioned(module), IMAGES[:1].double(), IMAGES[1:].double()
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
    assert networks.largest_difference(net(query), net(query, params)) > 1e-3


def test_a_prior_counts_the_networks_own_statistics() -> None:
    net = networks.conditioned(networks.plain("plain-batch-norms"))
    support = LabeledSet(IMAGES, torch.zeros(2, 3, dtype=torch.int64))
    torch.testing.assert_close(
        net(IMAGES, AdaptiveBatchNorm(prior=1e9)(support, 1, net)), net(IMAGES), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("name", networks.WITH_BATCH_NORMS)
def test_a_domain_s_statistics_take_the_place_of_the_networks_own(name: str) -> None:
    """Of batch norms without weights, too."""
    net = networks.conditioned(networks.plain(name))
    found = one_pass(net, [IMAGES[:1], IMAGES[1:]])
    support = LabeledSet(IMAGES, torch.zeros(2, 3, dtype=torch.int64))
    params = AdaptiveBatchNorm(found)(support, 1, net)
    torch.testing.assert_close(net(IMAGES, params), with_statistics(net, found)(IMAGES))


# --- images


def test_images_that_the_network_does_not_take() -> None:
    wants = Preprocessing(mean=(0.0,), std=(1.0,), size=16, fixed=True)
    net = condition(networks.plain("batch-norms"), preprocessing=wants)
    net.check_images(IMAGES)
    with pytest.raises(UsageError, match="takes images of 1 channels, these have 3; convert them"):
        net.check_images(making.pictures(2, channels=3))
    with pytest.raises(UsageError, match="takes images of 16x16 pixels, these have 20x20; resize"):
        net.check_images(making.pictures(2, size=20))


def test_the_network_normalises_pixels_as_it_is_used_to() -> None:
    wants = Preprocessing(mean=(0.5,), std=(0.25,), size=16)
    module = networks.plain("batch-norms")
    net = condition(module, preprocessing=wants)
    torch.testing.assert_close(net(IMAGES)[0], module((IMAGES[0] - 0.5) / 0.25))


def test_tapped_maps_come_in_the_order_of_the_data_flow() -> None:
    net = networks.conditioned(networks.plain("batch-norms"), features="stages")
    shapes = [tuple(h.shape[1:]) for h in net.tapped(IMAGES[0], making.plain_visit)]
    assert shapes == [(6, 16, 16), (12,)]
