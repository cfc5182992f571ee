import making
import pytest
import torch
from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import FiLM, Gate
from fewshot_film.parts.extractor import Extractor, Site
from fewshot_film.parts.normalization import BatchNorm


def lived_in_site() -> Site:
    site = Site(3, FiLM).eval()
    making.lived_in(site)
    return site


def norm_of(site: Site) -> nn.BatchNorm2d:
    assert isinstance(site.norm, BatchNorm)
    return site.norm.batch_norm


def test_a_site_without_params_is_its_normalization() -> None:
    site, h = lived_in_site(), torch.randn(1, 4, 3, 5, 5)
    assert torch.equal(site(h, {})[0], norm_of(site)(h[0]))


def test_a_site_conditions_what_batch_norm_gives() -> None:
    site, h = lived_in_site(), torch.randn(2, 4, 3, 5, 5)
    params = {"gamma": torch.randn(2, 3), "beta": torch.randn(2, 3)}
    out = site(h, params)
    for t in range(2):
        gamma, beta = (params[n][t].view(3, 1, 1) for n in ("gamma", "beta"))
        torch.testing.assert_close(out[t], gamma * norm_of(site)(h[t]) + beta)


def test_batch_norm_pools_over_the_tasks_in_training() -> None:
    site, h = lived_in_site().train(), torch.randn(2, 4, 3, 5, 5)
    norm = norm_of(site)
    params = {"gamma": torch.ones(2, 3), "beta": torch.zeros(2, 3)}
    axes = (0, 1, 3, 4)
    mean, var = h.mean(axes, keepdim=True), h.var(axes, keepdim=True, correction=0)
    weight, bias = (p.view(3, 1, 1) for p in (norm.weight, norm.bias))
    expected = weight * (h - mean) / (var + norm.eps).sqrt() + bias
    torch.testing.assert_close(site(h, params), expected, rtol=1e-4, atol=1e-5)


def test_half_of_a_mechanism_s_parameters() -> None:
    with pytest.raises(KeyError, match="beta"):
        lived_in_site()(torch.randn(1, 4, 3, 5, 5), {"gamma": torch.ones(1, 3)})


def test_parameters_of_a_site_that_is_not_there() -> None:
    net, params = making.extractor(), {"block5": {"gamma": torch.ones(1, 4)}}
    with pytest.raises(UsageError, match="no site 'block5'; Conv4 has block1, block2, block3"):
        net(making.pictures(1, 2), params)


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_sites_are_named_in_the_order_of_the_data_flow(name: str) -> None:
    net, seen = making.extractor(name), []
    sites = net.sites()
    for site_name, site in sites.items():
        site.register_forward_hook(lambda *_, site_name=site_name: seen.append(site_name))
    net(making.pictures(1, 2))
    assert seen == list(sites)
    assert not any("." in site_name for site_name in sites)
    assert {id(s) for s in sites.values()} == {id(m) for m in net.modules() if isinstance(m, Site)}


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_identity_names_every_site_that_can_be_steered(name: str) -> None:
    net = making.extractor(name, Gate)
    identity = net.identity()
    assert list(identity) == [site for site in net.sites() if "shortcut" not in site]
    for site, params in identity.items():
        assert params["gate"].shape == (norm_of(net.sites()[site]).num_features,)


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_feature_dim_changes_nothing(name: str) -> None:
    net: Extractor = making.extractor(name).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert net.feature_dim(1, 32) == {"conv4": 4 * 4, "resnet12": 32}[name]
    assert all(m.training for m in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_task_axis_comes_first() -> None:
    """Task t's examples meet task t's parameters, whatever their number."""
    net, images = making.extractor(), making.pictures(2, 3)
    params = making.task_params(net, 2)
    swapped = {s: {n: v.flip(0) for n, v in p.items()} for s, p in params.items()}
    torch.testing.assert_close(net(images.flip(0), swapped).flip(0), net(images, params))
    assert not torch.allclose(net(images, swapped), net(images, params), atol=1e-2)


def test_weights_are_channels_last() -> None:
    for name in ("conv4", "resnet12"):
        net = making.extractor(name)
        convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)


def test_a_support_set_without_images() -> None:
    with pytest.raises(UsageError, match="the support set holds no images"):
        making.extractor("conv4 meta").described(making.pictures(2, 0))


def test_images_as_bytes_are_scaled() -> None:
    net, pixels = making.extractor(), (making.pictures(2, 3) * 255).round().byte()
    torch.testing.assert_close(net(pixels), net(pixels / 255))
