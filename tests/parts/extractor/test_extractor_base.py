import making
import pytest
import torch
from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import CONDITIONINGS, FiLM
from fewshot_film.parts.extractor import Site
from fewshot_film.parts.normalization import BatchNorm


def lived_in_site() -> Site:
    site = Site(3, FiLM).eval()
    making.lived_in(site)
    return site


def norm_of(site: Site) -> nn.modules.batchnorm._BatchNorm:
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


@pytest.mark.parametrize("name", making.OWN_EXTRACTORS)
def test_identity_names_every_site_that_can_be_steered(name: str) -> None:
    net = making.extractor(name, "gate")
    identity = net.identity()
    assert list(identity) == [site for site in net.sites() if "shortcut" not in site]
    for site, params in identity.items():
        assert params["gate"].shape == (norm_of(net.sites()[site]).num_features,)


def test_weights_are_channels_last() -> None:
    for name in making.OWN_EXTRACTORS:
        net = making.extractor(name)
        convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)


def test_a_support_set_without_images() -> None:
    with pytest.raises(UsageError, match="the support set holds no images"):
        making.extractor(normalization="meta").described(making.pictures(2, 0))


@pytest.mark.parametrize("name", making.OWN_EXTRACTORS)
def test_images_of_another_shape(name: str) -> None:
    """Of other channels, or too small; any larger ones are taken, oblong ones too."""
    net = making.extractor(name, channels=3)
    side = net.smallest
    net.check_images(making.pictures(2, channels=3, size=side))
    net.check_images(making.pictures(1, 2, channels=3, size=50)[..., : side + 1])
    with pytest.raises(UsageError, match="takes images of 3 channels, these have 1; convert them"):
        net.check_images(making.pictures(2, size=side))
    narrow = making.pictures(2, channels=3, size=side)[..., 1:]
    message = f"images of {side} pixels a side or more, these have {side}x{side - 1}; resize them"
    with pytest.raises(UsageError, match=message):
        net.check_images(narrow)


@pytest.mark.parametrize("name", making.OWN_EXTRACTORS)
def test_the_smallest_images_have_features_and_smaller_ones_have_none(name: str) -> None:
    net = making.extractor(name)
    assert net(making.pictures(1, 2, size=net.smallest)).shape[2] > 0
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        net(making.pictures(1, 2, size=net.smallest - 1))


# --- norm and mechanism in one


AFFINE = ("film", "bias", "scale", "gate")
MOMENTS = {
    "mean": torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.0, -2.0]]),
    "var": torch.tensor([[0.5, 1.0, 2.0], [0.1, 3.0, 0.7]]),
}


def site_of(name: str, weighed: bool = True) -> Site:
    """In float64, with lived-in statistics, in evaluation mode."""
    norm = nn.BatchNorm2d(3, affine=weighed)
    site = Site(3, CONDITIONINGS.read(name).maker, lambda _: BatchNorm.around(norm)).double()
    making.lived_in(site)
    norm.train()(2 * torch.randn(9, 3, 4, 4, generator=making.seeded()).double() + 1)
    return site.eval()


def away(site: Site, moments: bool) -> dict[str, torch.Tensor]:
    rng = making.seeded(1)
    steered = {
        n: v + torch.randn(2, 3, generator=rng) for n, v in site.conditioning.identity().items()
    }
    given = {**steered, **MOMENTS} if moments else steered
    return {name: value.double() for name, value in given.items()}


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize("weighed", [True, False])
@pytest.mark.parametrize("moments", [True, False])
def test_norm_and_mechanism_in_one_are_one_after_the_other(
    name: str, weighed: bool, moments: bool
) -> None:
    site, h = site_of(name, weighed), torch.randn(2, 4, 3, 5, 5).double()
    params = away(site, moments)
    expected = site.conditioning(site.norm(h, params), params)
    assert site.merged(params) is not None
    torch.testing.assert_close(site(h, params), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", AFFINE)
def test_the_gradient_through_both_in_one_is_the_same(name: str) -> None:
    site, h = site_of(name), torch.randn(2, 4, 3, 5, 5).double()
    given = {n: v.requires_grad_() for n, v in away(site, moments=True).items()}
    in_one = torch.autograd.grad(site(h, given).square().sum(), [*given.values()])
    apart = site.conditioning(site.norm(h, given), given)
    for found, expected in zip(
        in_one, torch.autograd.grad(apart.square().sum(), [*given.values()]), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", AFFINE)
def test_in_training_a_batch_norm_counts_and_is_no_affine_map(name: str) -> None:
    """Unless the task brings moments of its own."""
    site = site_of(name).train()
    assert site.merged(away(site, moments=False)) is None
    assert site.merged(away(site, moments=True)) is not None
    before = norm_of(site).running_mean
    assert before is not None
    before = before.clone()
    site(torch.randn(2, 4, 3, 5, 5).double(), away(site, moments=False))
    after = norm_of(site).running_mean
    assert after is not None
    assert not torch.equal(after, before)
