"""Networks that others trained, as extractors: laws for those whose package is installed."""

import copy
import json
import pickle
from typing import Any

import making
import pytest
import torch
from folded import folded
from torch import Tensor, nn

from fewshot_film.config.build import build
from fewshot_film.config.config import Config
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import EXTRACTORS, ConditionedNetwork, condition
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.zoo import pretrained_network

SIDE = 64


def pictures(*batch: int, seed: int = 0, size: int = SIDE) -> Tensor:
    return making.pictures(*batch, channels=3, size=size, seed=seed)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    """On the scale of the largest value."""
    largest = float(b.detach().abs().max())
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance * largest)


# --- EfficientNet-Lite0, with its weights


@pytest.fixture(scope="module")
def weights() -> Pretrained:
    try:
        return pretrained_network("lite0")
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def lite(weights: Pretrained) -> ConditionedNetwork:
    """With its sites by default; tests must not change it."""
    del weights
    made = EXTRACTORS.read("efficientnet-lite0")(conditioning=FiLM)
    assert isinstance(made, ConditionedNetwork)
    return made


def near(net: ConditionedNetwork, tasks: int, seed: int = 0) -> Any:
    """Random parameters near identity."""
    return making.task_params(net, tasks, seed=seed, spread=0.2)


@torch.no_grad()
def test_it_is_the_published_network(weights: Pretrained, lite: ConditionedNetwork) -> None:
    images = pictures(2, 3)
    expected = weights.module(weights.preprocessing(images[1]))
    assert expected.shape == (3, 1280)
    close(lite(images)[1], expected)
    close(lite(images, making.identity_params(lite, 2))[1], expected)
    assert lite.feature_dim(3, SIDE) == 1280


@torch.no_grad()
def test_film_is_at_the_weights_of_its_norms(weights: Pretrained) -> None:
    net = condition(weights.module, preprocessing=weights.preprocessing)
    assert len(net.sites()) == 49
    images, params = pictures(1, 2), near(net, 1)
    by_hand = folded(weights.module, net.crossings, params)
    close(net(images, params)[0], by_hand(weights.preprocessing(images[0])), 1e-4)


@torch.no_grad()
def test_its_late_sites_are_a_third(lite: ConditionedNetwork) -> None:
    names = list(lite.sites())
    assert len(names) == 17
    assert (names[0], names[-1]) == ("blocks_10_project_norm", "head_norm")
    assert sum(len(p["gamma"]) for p in lite.identity().values()) > 10_000


@torch.no_grad()
def test_every_site_matters(lite: ConditionedNetwork) -> None:
    images, params, other = pictures(1, 2), near(lite, 1), near(lite, 1, seed=1)
    expected = lite(images, params)
    for site in lite.sites():
        moved = lite(images, {**params, site: other[site]})
        assert float((moved - expected).abs().max()) > 1e-4 * float(expected.abs().max()), site


@torch.no_grad()
def test_tasks_and_images_are_on_their_own(lite: ConditionedNetwork) -> None:
    images, params = pictures(2, 3), near(lite, 2)
    together, order = lite(images, params), torch.tensor([2, 0, 1])
    for t in range(2):
        one = slice(t, t + 1)
        own = making.of_tasks(params, one)
        close(lite(images[one], own), together[one])
        close(lite(images[one, 1:2], own), together[one, 1:2])
    close(lite(images[:, order], params), together[:, order])


@torch.no_grad()
def test_bytes_and_memory_do_not_matter(lite: ConditionedNetwork) -> None:
    pixels = (pictures(1, 2) * 255).round().byte()
    close(lite(pixels), lite(pixels / 255))
    last = pixels.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    close(lite(last), lite(pixels))
    exact = copy.deepcopy(lite).double()(pixels / 255.0)
    close(lite(pixels), exact.float(), 1e-4)


@pytest.mark.parametrize("size", [(32, 32), (50, 70), (224, 224)])
@torch.no_grad()
def test_images_of_other_sizes(lite: ConditionedNetwork, size: tuple[int, int]) -> None:
    images = pictures(1, 1, size=max(size))[..., : size[0], : size[1]]
    lite.check_images(images)
    assert lite(images, near(lite, 1)).shape == (1, 1, 1280)
    assert lite(images).isfinite().all()


def test_it_learns_nothing_and_lets_gradients_through(lite: ConditionedNetwork) -> None:
    net = copy.deepcopy(lite).train()
    params = making.identity_params(net, 1)
    params = {s: {n: v.clone().requires_grad_() for n, v in p.items()} for s, p in params.items()}
    before = {name: value.clone() for name, value in net.network.state_dict().items()}
    net(pictures(1, 3), params).square().sum().backward()
    after = net.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(p.requires_grad for p in net.parameters())
    assert all(value.grad is not None for values in params.values() for value in values.values())


@torch.no_grad()
def test_its_weights_are_in_no_state_dict(lite: ConditionedNetwork) -> None:
    assert not lite.state_dict()
    other = EXTRACTORS.read("efficientnet-lite0")(conditioning=FiLM)
    other.load_state_dict({})
    images = pictures(1, 2)
    assert torch.equal(other(images), lite(images))
    assert torch.equal(pickle.loads(pickle.dumps(lite))(images), lite(images))
    learning = EXTRACTORS.read("efficientnet-lite0:frozen=no")(conditioning=FiLM)
    names = learning.state_dict()
    assert len(names) > 200
    assert all(name.startswith("network.") for name in names)


@torch.no_grad()
def test_stages_side_by_side(lite: ConditionedNetwork) -> None:
    del lite
    net = EXTRACTORS.read("efficientnet-lite0:features=stages,sites=last")(conditioning=FiLM)
    assert isinstance(net, ConditionedNetwork)
    assert list(net.sites()) == ["head_norm"]
    found = net(pictures(1, 2))[0]
    assert found.shape[1] == net.feature_dim(3, SIDE) > 1280
    stages = round(float(found[0].square().sum()))
    torch.testing.assert_close(found.square().sum(1), torch.full((2,), float(stages)))


@pytest.mark.slow
def test_it_can_be_exported(lite: ConditionedNetwork) -> None:
    images, params = pictures(1, 2), near(lite, 1)
    with making.unchecked(), torch.no_grad():
        made = torch.export.export(lite, (images, params)).module()
        close(made(images, params), lite(images, params))


def test_a_config_builds_it_and_its_classifier_keeps_what_learns(lite: ConditionedNetwork) -> None:
    del lite
    config = Config(extractor="efficientnet-lite0:sites=last", channels=3, size=SIDE, way=2)
    model = build(config)
    assert isinstance(model.features.adapter, LearnedAdapter)
    names = list(model.state_dict())
    assert names
    assert not [name for name in names if name.startswith("features.extractor")]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    build(config).load_state_dict(state)
    task = model.adapt(pictures(4), list("aabb"))
    assert len(task.classify(pictures(3, seed=1))) == 3
    with pytest.raises(UsageError, match="takes images of 3 channels, these have 1; convert them"):
        model.adapt(making.pictures(4, size=SIDE), list("aabb"))
    assert json.dumps(str(config))


# --- networks of the libraries, where those import


def real(name: str) -> Pretrained:
    """With random weights, lived-in; a library that does not import says why."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = pretrained_network(name, trained=False)
    except UsageError as error:
        pytest.skip(str(error))
    making.lived_in(found.module)
    for norm in found.module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_(std=0.1, generator=making.seeded())
            norm.running_var.uniform_(0.5, 1.5, generator=making.seeded(1))
    return found


REAL = {
    "timm:resnet18": (20, 5),
    "timm:efficientnet_lite0": (49, 5),
    "timm:efficientnet_b0": (49, 5),
    "timm:convnext_atto": (17, 5),
    "timm:vit_tiny_patch16_224": (25, 1),
    "torchvision:resnet18": (20, 5),
    "torchvision:mobilenet_v3_small": (34, 6),
}
"""name -> norms, and stages with the output."""


@pytest.mark.parametrize("name", REAL)
@torch.no_grad()
def test_networks_of_the_libraries_are_conditioned(name: str) -> None:
    """Plain without parameters, and FiLM at weight and bias with them; in float64."""
    found = real(name)
    module, wants = found.module.double(), found.preprocessing
    net = condition(module, features="last", preprocessing=wants)
    assert len(net.sites()) == REAL[name][0]
    images = pictures(1, 2, size=wants.size if wants.fixed else SIDE).double()
    plain = module(wants(images[0]))
    close(net(images)[0], plain, 1e-9)
    params = near(net, 1)
    params = {s: {n: v.double() for n, v in p.items()} for s, p in params.items()}
    expected = folded(module, net.crossings, params)(wants(images[0]))
    close(net(images, params)[0], expected, 1e-9)
    assert float((plain - expected).abs().max()) > 1e-2 * float(expected.abs().max())
    close(net(images[:, 1:], params)[0], expected[1:], 1e-9)


@pytest.mark.parametrize("name", REAL)
@torch.no_grad()
def test_stages_of_networks_of_the_libraries(name: str) -> None:
    found = real(name)
    net = condition(found.module, features="stages", preprocessing=found.preprocessing)
    size = found.preprocessing.size if found.preprocessing.fixed else SIDE
    images, stages = pictures(1, 2, size=size), REAL[name][1]
    assert len(net.tapped(images[0], making.plain_visit)) == stages
    if stages > 1:
        length = net(images)[0].norm(dim=1)
        torch.testing.assert_close(length, torch.full((2,), stages**0.5))


@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224"])
def test_a_size_that_the_network_does_not_take(name: str) -> None:
    found = real(name)
    net = condition(found.module, preprocessing=found.preprocessing)
    with pytest.raises(UsageError, match="takes images of 224x224 pixels, these have 64x64; resiz"):
        net.check_images(pictures(2))
