import copy

import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.adaptation import AdaptiveBatchNorm
from fewshot_film.adaptation.adaptive_batch_norm import aligned
from fewshot_film.conditioning import Bias, FiLM
from fewshot_film.errors import UsageError
from fewshot_film.extractor import Extractor

adapt = AdaptiveBatchNorm()


def replaced(extractor: Extractor, support: Tensor) -> Extractor:
    """A copy in float64 whose sites hold one task's moments, layer by layer."""
    made = copy.deepcopy(extractor).double()
    inputs: list[Tensor] = []
    for site in made.sites().values():
        hook = site.norm.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        made(support.double().unsqueeze(0))
        hook.remove()
        h = inputs[-1].transpose(0, 1).flatten(1)
        site.norm.running_mean = h.mean(1)
        site.norm.running_var = ((h - h.mean(1, keepdim=True)) ** 2).mean(1)
    return made


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_it_replaces_the_moments_layer_by_layer(name: str) -> None:
    net, support = making.extractor(name), making.labeled(3, 3, 2)
    assert any((s.norm.weight < 0).any() for s in net.sites().values()), "w of both signs"
    queries = making.pictures(3, 5, size=32, seed=9)
    with torch.no_grad():
        features = net(queries, adapt(support, 3, net))
        for t in range(3):
            expected = replaced(net, support.images[t])(queries[t : t + 1].double())[0]
            scale = float(expected.abs().max())
            torch.testing.assert_close(
                features[t].double(), expected, rtol=0, atol=1e-5 * max(scale, 1)
            )


def test_one_site_against_the_equation() -> None:
    norm, h = nn.BatchNorm2d(3).eval(), torch.randn(2, 4, 3, 5, 5) * 3 + 1
    making.lived_in(norm)
    params = aligned(norm, h)
    out = FiLM(3)(norm(h.flatten(0, 1)).unflatten(0, (2, 4)), params)
    mean, var = h.mean((1, 3, 4), keepdim=True), h.var((1, 3, 4), keepdim=True, correction=0)
    weight, bias = norm.weight.view(3, 1, 1), norm.bias.view(3, 1, 1)
    torch.testing.assert_close(
        out, weight * (h - mean) / (var + norm.eps).sqrt() + bias, rtol=1e-4, atol=1e-4
    )


def test_source_moments_are_identity() -> None:
    norm, h = nn.BatchNorm2d(3).eval(), torch.randn(1, 4, 3, 5, 5)
    norm.running_mean = h.mean((0, 1, 3, 4))
    norm.running_var = h.var((0, 1, 3, 4), correction=0)
    params = aligned(norm, h)
    torch.testing.assert_close(params["gamma"], torch.ones(1, 3))
    torch.testing.assert_close(params["beta"], torch.zeros(1, 3), rtol=0, atol=1e-6)


def test_a_constant_support_set_stays_finite() -> None:
    net = making.extractor()
    support = making.labeled(1, 2, 1)
    black = type(support)(torch.zeros_like(support.images), support.labels)
    assert net(making.pictures(1, 2), adapt(black, 2, net)).isfinite().all()


def test_it_leaves_the_extractor_as_it_was() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    images = making.pictures(2, 3)
    features = net(images)
    adapt(support, 3, net)
    assert torch.equal(net(images), features)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert hooks(net) == 0


def test_it_removes_its_hooks_after_an_error() -> None:
    net, support = making.extractor("conv4", Bias), making.labeled(2, 3, 2)
    with pytest.raises(UsageError, match="'block1' holds Bias; use an extractor with FiLM"):
        adapt(support, 3, net)
    assert hooks(net) == 0


def test_labels_and_way_are_not_looked_at() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    other = type(support)(support.images, support.labels.flip(1))
    for site, params in adapt(support, 3, net).items():
        for name, value in adapt(other, 2, net)[site].items():
            assert torch.equal(value, params[name])


def test_nothing_to_train() -> None:
    assert not adapt.state_dict()


def hooks(net: Extractor) -> int:
    return sum(len(m._forward_hooks) for m in net.modules())
