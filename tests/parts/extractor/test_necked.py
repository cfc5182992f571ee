"""A neck: the published network beside what is learned of its stages, and readings for images."""

import copy
from collections.abc import Callable

import foreign
import making
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import CONDITIONINGS, TaskParams
from fewshot_film.parts.extractor.necked import NECK, Necked, summary

IMAGES = making.pictures(2, 3)


@pytest.fixture(scope="module")
def made_once() -> Necked:
    return foreign.necked()


@pytest.fixture
def net(made_once: Necked) -> Necked:
    return copy.deepcopy(made_once)


def readings(net: Necked, images: Tensor = IMAGES) -> Tensor:
    """(task, example, reading, 1, 1): what is given in the place of images."""
    return net.read(images.flatten(0, 1)).unflatten(0, images.shape[:2])


def random_params(net: Necked, tasks: int = 2) -> TaskParams:
    return making.task_params(net, tasks)


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


# --- readings for images


@pytest.mark.parametrize("steered", [False, True])
@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_readings_are_taken_in_the_place_of_images(
    net: Necked, steered: bool, training: bool
) -> None:
    params = random_params(net) if steered else None
    read = readings(net)
    expected, found = (
        copy.deepcopy(net).train(training)(given, params) for given in (IMAGES, read)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_reading_is_of_one_image(net: Necked) -> None:
    """Neither the images beside it nor the mode changes it, and no mode is left changed."""
    flat = IMAGES.flatten(0, 1)
    together = net.read(flat)
    assert together.shape == (6, net.reading_dim, 1, 1)
    for i, image in enumerate(flat.split(1)):
        torch.testing.assert_close(net.read(image)[0], together[i], rtol=0, atol=1e-6)
    net.train()
    modes = [module.training for module in net.modules()]
    before = weights(net)
    assert torch.equal(net.read(flat), together)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in weights(net).items())


def test_a_reading_asks_for_no_gradient(net: Necked) -> None:
    assert not net.train().read(IMAGES[0]).requires_grad


@torch.no_grad()
def test_a_reading_holds_every_stage_and_ends_in_the_network_s_own_features(net: Necked) -> None:
    images = IMAGES[0]
    stages = net.network.tapped(images, making.plain_visit)
    expected = torch.cat([summary(stage) for stage in stages], dim=1)
    torch.testing.assert_close(net.read(images).flatten(1), expected)
    own = foreign.plain(channels=1)(images)
    torch.testing.assert_close(net.read(images).flatten(1)[:, -net.own_dim :], own)


def test_what_readings_depend_on() -> None:
    """On the network that is frozen, not on what is learned of them."""
    net, alike, other = foreign.necked(), foreign.necked(width=7), foreign.necked(seed=1)
    assert net.reader_id() == alike.reader_id() == copy.deepcopy(net).train().reader_id()
    assert net.reader_id() != other.reader_id()
    assert net.reader_id() != net.network.reader_id()


def test_it_reads_only_what_no_task_changes() -> None:
    assert foreign.necked().reads
    assert not foreign.necked(sites="last").reads


# --- features


@pytest.mark.parametrize("stages", [0.0, 0.5])
@torch.no_grad()
def test_features_by_hand(net: Necked, stages: float) -> None:
    net.stages = stages
    read, params = readings(net).flatten(2), random_params(net)
    own = read[..., -net.own_dim :]
    norm = net.normalised
    assert norm.running_mean is not None
    assert norm.running_var is not None
    normalised = (read - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    found = net.linear(normalised)
    (inner,) = net.site.norm.children()
    found = inner(found.flatten(0, 1)).unflatten(0, found.shape[:2])
    steered = params[NECK]["gamma"].unsqueeze(1) * found + params[NECK]["beta"].unsqueeze(1)
    earlier = normalised[..., : -net.own_dim]
    parts = [stages * earlier / earlier.norm(dim=2, keepdim=True)] if stages else []
    expected = torch.cat([own / own.norm(dim=2, keepdim=True), *parts, steered], dim=2)
    torch.testing.assert_close(net(IMAGES, params), expected)


@torch.no_grad()
def test_the_site_behind_the_neck_steers_what_the_neck_adds_alone(net: Necked) -> None:
    assert list(net.sites()) == [NECK]
    plain, steered = net(IMAGES), net(IMAGES, random_params(net))
    own = slice(0, net.own_dim)
    assert torch.equal(steered[..., own], plain[..., own])
    assert ((steered - plain)[..., net.own_dim :].abs() > 1e-4).any(dim=1).all()
    torch.testing.assert_close(net(IMAGES, making.identity_params(net, 2)), plain)


@torch.no_grad()
def test_tasks_are_on_their_own(net: Necked) -> None:
    params = random_params(net)
    together = net(IMAGES, params)
    for t in range(2):
        one = slice(t, t + 1)
        torch.testing.assert_close(net(IMAGES[one], making.of_tasks(params, one)), together[one])


@torch.no_grad()
def test_sites_inside_the_network_steer_too() -> None:
    """Then every image passes the network, for every task."""
    net = foreign.necked(sites="all")
    assert list(net.sites()) == [*net.network.sites(), NECK]
    params = random_params(net)
    expected = net(IMAGES, params)
    for site in net.sites():
        without = {name: values for name, values in params.items() if name != site}
        assert not torch.allclose(net(IMAGES, without), expected), site


@torch.no_grad()
def test_at_first_the_neck_counts_less_than_the_network(net: Necked) -> None:
    fresh = Necked(net.network, CONDITIONINGS.read("film").maker, 64)
    found = fresh.train()(making.pictures(1, 64, seed=3))[0, :, net.own_dim :]
    assert float(found.norm(dim=1).mean()) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("conditioning", ["film", "scale"])
@torch.no_grad()
def test_plain_parameters_leave_the_network_s_own_features(net: Necked, conditioning: str) -> None:
    made = Necked(net.network, CONDITIONINGS.read(conditioning).maker, 5).eval()
    making.lived_in(made.site)
    own = foreign.plain(channels=1)(IMAGES.flatten(0, 1)).unflatten(0, (2, 3))
    found = made(IMAGES, made.plain_params(2))
    torch.testing.assert_close(found[..., : net.own_dim], F.normalize(own, dim=2))
    assert not found[..., net.own_dim :].any()


def test_a_mechanism_that_cannot_silence_the_neck_is_named(net: Necked) -> None:
    made = Necked(net.network, CONDITIONINGS.read("gate").maker, 5)
    with pytest.raises(UsageError, match=r"cannot take away what a neck adds.*pass `conditioning`"):
        made.plain_params(2)


# --- a summary


def by_brute_force(h: Tensor) -> Tensor:
    """Channel by channel: the mean, the deviation, and the means in four windows that may share."""
    height, width = h.shape[1:]
    rows = [slice(0, -(-height // 2)), slice(height // 2, height)]
    columns = [slice(0, -(-width // 2)), slice(width // 2, width)]
    mean = [float(c.mean()) for c in h]
    deviation = [float(((c - c.mean()) ** 2).mean().sqrt()) for c in h]
    windows = [float(c[r, k].mean()) for c in h for r in rows for k in columns]
    return torch.tensor([*mean, *deviation, *windows])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 6), (5, 4), (1, 3)])
def test_a_map_in_six_numbers_a_channel(size: tuple[int, int], rng: torch.Generator) -> None:
    maps = torch.randn(2, 3, *size, generator=rng)
    found = summary(maps)
    assert found.shape == (2, 18)
    torch.testing.assert_close(found, torch.stack([by_brute_force(h) for h in maps]))


def test_a_map_of_one_place_is_that_value_and_deviates_by_nothing() -> None:
    assert summary(torch.tensor([[[[3.0]]]])).tolist() == [[3.0, 0.0, 3.0, 3.0, 3.0, 3.0]]


def test_tokens_in_two_numbers_a_channel(rng: torch.Generator) -> None:
    tokens = torch.randn(2, 5, 3, generator=rng)
    mean = tokens.sum(1) / 5
    deviation = ((tokens - mean.unsqueeze(1)) ** 2).sum(1).div(5).sqrt()
    torch.testing.assert_close(summary(tokens), torch.cat([mean, deviation], dim=1))
    assert not summary(tokens[:, :1])[:, 3:].any(), "one token deviates by nothing"


def test_features_stay_what_they_are(rng: torch.Generator) -> None:
    features = torch.randn(2, 3, generator=rng)
    assert torch.equal(summary(features), features)


# --- training, copies and files


def test_the_neck_learns_and_the_network_does_not(net: Necked) -> None:
    before = {name: value.clone() for name, value in net.network.network.state_dict().items()}
    net.train()(IMAGES, making.identity_params(net, 2)).square().sum().backward()
    learned = {name for name, weight in net.named_parameters() if weight.grad is not None}
    assert learned == {name for name, weight in net.named_parameters() if weight.requires_grad}
    assert "linear.weight" in learned
    assert not any(name.startswith("network.") for name in learned)
    after = net.network.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@torch.no_grad()
def test_a_state_dict_holds_what_is_learned(net: Necked) -> None:
    state = net.state_dict()
    assert state
    assert not any(name.startswith("network.") for name in state)
    other = Necked(copy.deepcopy(net.network), CONDITIONINGS.read("film").maker, 5).eval()
    assert not torch.equal(other(IMAGES), net(IMAGES))
    other.load_state_dict(state)
    assert torch.equal(other(IMAGES, random_params(net)), net(IMAGES, random_params(net)))


@torch.no_grad()
def test_in_double_precision(net: Necked) -> None:
    params, double = random_params(net), copy.deepcopy(net).double()
    exact = {s: {n: v.double() for n, v in values.items()} for s, values in params.items()}
    found = double(IMAGES.double(), exact)
    assert found.dtype == torch.float64
    assert readings(double, IMAGES.double()).dtype == torch.float64
    torch.testing.assert_close(net(IMAGES, params), found.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_an_export_takes_any_number_of_images(net: Necked) -> None:
    params, count = random_params(net, 1), torch.export.Dim("count", min=2, max=64)
    shapes = ({1: count}, {site: dict.fromkeys(values) for site, values in params.items()})
    with making.unchecked():
        images = making.pictures(1, 4)
        made = torch.export.export(net, (images, params), dynamic_shapes=shapes).module()
        for number in (2, 7):
            images = making.pictures(1, number, seed=number)
            torch.testing.assert_close(made(images, params), net(images, params))


# --- images


@pytest.mark.parametrize(
    "change", [lambda x: (255 * x).round().byte(), lambda x: x.repeat(1, 1, 1, 2, 2)]
)
@torch.no_grad()
def test_bytes_and_other_sizes(net: Necked, change: Callable[[Tensor], Tensor]) -> None:
    images = change(IMAGES)
    assert net(images).shape == (2, 3, net.own_dim + 5)
    assert net(images).isfinite().all()


def test_images_of_other_channels_are_refused(net: Necked) -> None:
    with pytest.raises(UsageError, match="takes images of 1 channels, these have 3; convert them"):
        net.check_images(making.pictures(2, channels=3))
