from collections.abc import Callable

import making
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.adaptive_batch_norm import batch_norm_of
from fewshot_film.parts.conditioning import FiLM, SiteParams
from fewshot_film.parts.extractor import (
    EXTRACTORS,
    Conv4,
    DropBlock,
    Extractor,
    ResNet12,
    tadam_resnet12,
    wide_resnet12,
)
from fewshot_film.parts.extractor.resnet12 import Activation, ResidualBlock


def film(h: Tensor, params: SiteParams, t: int) -> Tensor:
    gamma, beta = (params[n][t].to(h).view(-1, 1, 1) for n in ("gamma", "beta"))
    return gamma * h + beta


def swish(h: Tensor) -> Tensor:
    return h * h.sigmoid()


def leaky(h: Tensor) -> Tensor:
    return torch.where(h > 0, h, 0.1 * h)


def block_by_hand(
    block: ResidualBlock, h: Tensor, params: list[SiteParams], t: int, activation: Activation
) -> Tensor:
    """As written in methods.md: FiLM after each of three norms, the third before the sum."""
    norms = [batch_norm_of(name, site) for name, site in block.sites().items()]
    first, second, third = block.convs
    a = film(norms[0](first(h)), params[0], t)
    b = film(norms[1](second(activation(a))), params[1], t)
    c = film(norms[2](third(activation(b))), params[2], t)
    return activation(c + norms[3](block.shortcut(h)))


def lived_in(net: ResNet12) -> ResNet12:
    making.lived_in(net)
    making.calibrate(net, net)
    return net.eval()


@pytest.mark.parametrize(
    ("build", "activation", "max_pools"),
    [
        (lambda: ResNet12(FiLM, channels=1, width=4), swish, 4),
        (lambda: ResNet12(FiLM, channels=1, width=4, max_pools=3), swish, 3),
        (lambda: ResNet12(FiLM, channels=1, width=4, max_pools=1), swish, 1),
        (lambda: wide_resnet12(FiLM, channels=1, width=4, pooling="average"), leaky, 4),
    ],
)
def test_resnet12_follows_the_papers(
    build: Callable[[], ResNet12], activation: Activation, max_pools: int
) -> None:
    net = lived_in(build()).double()
    images = making.pictures(2, 3, size=32).double()
    params = making.task_params(net, 2)
    sites, out = list(params.values()), net(images, params)
    for t in range(2):
        h = images[t]
        for i, block in enumerate(net.blocks):
            h = block_by_hand(block, h, sites[3 * i : 3 * i + 3], t, activation)
            h = F.max_pool2d(h, 2) if i < max_pools else h
        torch.testing.assert_close(out[t], h.mean((2, 3)))


def widths(net: ResNet12) -> list[int]:
    return [batch_norm_of(name, site).num_features for name, site in net.sites().items()]


def test_size_of_the_published_network() -> None:
    net = ResNet12(FiLM)
    assert widths(net) == ([64] * 4 + [128] * 4 + [256] * 4 + [512] * 4)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 16
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 16
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 2) == 8.00
    assert net.feature_dim(3, 32) == 512


def test_features_do_not_depend_on_the_size() -> None:
    net = making.extractor("resnet12")
    assert {net.feature_dim(1, size) for size in (16, 28, 33)} == {32}


def test_size_of_the_published_wide_network() -> None:
    net = wide_resnet12(FiLM)
    assert widths(net) == ([64] * 4 + [160] * 4 + [320] * 4 + [640] * 4)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 16
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 16
    # three 3x3 and one 1x1 convolution, and the weight and bias of four batch norms, each block
    parameters = sum(
        9 * (i * o + 2 * o * o) + i * o + 4 * 2 * o
        for i, o in ((3, 64), (64, 160), (160, 320), (320, 640))
    )
    assert sum(p.numel() for p in net.parameters()) == parameters == 12_424_320
    assert net.feature_dim(3, 84) == 640 * 5 * 5 == 16_000
    assert wide_resnet12(FiLM, pooling="average").feature_dim(3, 84) == 640


def test_the_wide_network_drops_as_published() -> None:
    """Values at the full rate after two blocks, squares at a rising one after the others."""
    net = wide_resnet12(FiLM, channels=1, width=4, drop=0.2)
    drops = [m for m in net.modules() if isinstance(m, DropBlock)]
    assert [(d.rate, d.size, d.ramp_steps) for d in drops] == (
        [(0.2, 1, 1)] * 2 + [(0.2, 5, 40_000)] * 2
    )
    for block, drop in zip(net.blocks, drops, strict=True):
        pool, last = block.end.children()
        assert isinstance(pool, nn.MaxPool2d)
        assert last is drop


@pytest.mark.parametrize("name", ["resnet12", "wide-resnet12"])
def test_pooling_by_name(name: str) -> None:
    """Value by value or the mean of each channel, of the same maps."""
    flat, mean = (
        EXTRACTORS.read(f"{name}:width=4,pooling={pooling}")(conditioning=FiLM, channels=1, size=32)
        for pooling in ("flat", "average")
    )
    mean.load_state_dict(flat.state_dict())
    images = making.pictures(2, 3, size=32)
    maps = flat.eval()(images).unflatten(2, (-1, 2, 2))
    torch.testing.assert_close(mean.eval()(images), maps.mean((3, 4)))


def test_a_wide_network_in_training_without_drops_is_that_network() -> None:
    net = lived_in(wide_resnet12(FiLM, channels=1, width=4, drop=0.0)).train()
    plain = ResNet12(FiLM, channels=1, width=4, growth=(1.0, 2.5, 5.0, 10.0), activation=leaky)
    plain.load_state_dict(net.state_dict(), strict=False)  # all but the counts of batches
    images = making.pictures(2, 3)
    torch.testing.assert_close(plain(images), net(images))


def test_drops_act_in_training_alone() -> None:
    net, images = lived_in(wide_resnet12(FiLM, channels=1, width=4)), making.pictures(2, 3)
    assert torch.equal(net(images), net(images))
    net.train()
    assert not torch.allclose(net(images), net(images), atol=1e-2)


def test_the_wide_network_trains_in_autocast() -> None:
    net = wide_resnet12(FiLM, channels=1, width=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(making.pictures(2, 8, size=32), making.task_params(net, 2))
    out.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("max_pools", [0, 5])
def test_a_bad_number_of_max_pools_is_named(max_pools: int) -> None:
    with pytest.raises(
        UsageError, match=f"`max_pools` is {max_pools}; ResNet-12 has 4 blocks, pass 1 to 4"
    ):
        ResNet12(FiLM, max_pools=max_pools)


def test_three_max_pools_keep_the_width_of_the_features() -> None:
    net = ResNet12(FiLM, channels=1, width=4, max_pools=3)
    assert {net.feature_dim(1, size) for size in (8, 16, 33)} == {32}


@pytest.mark.parametrize("build", [Conv4, ResNet12, tadam_resnet12, wide_resnet12])
def test_pixel_scale_multiplies_the_images(build: Callable[..., Extractor]) -> None:
    net = build(FiLM, channels=1, width=4)
    scaled = build(FiLM, channels=1, width=4, pixel_scale=255.0)
    making.lived_in(net)
    scaled.load_state_dict(net.state_dict())
    images, params = making.pictures(2, 3, size=32), making.task_params(net, 2)
    net.eval(), scaled.eval()
    assert torch.equal(scaled(images, params), net(images * 255, params))
    assert not torch.allclose(scaled(images, params), net(images, params), rtol=0.1)
    assert scaled.feature_dim(1, 32) == net.feature_dim(1, 32)
