"""Every normalization against its equation in float64, and what it keeps of a support set."""

from collections.abc import Callable

import making
import pytest
import torch
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.normalization import (
    NORMALIZATIONS,
    BatchNorm,
    GroupNorm,
    MetaBatchNorm,
    Normalization,
    SupportBatchNorm,
    TaskNormInstance,
    TaskNormLayer,
    TransductiveBatchNorm,
    instance_norm,
    layer_norm,
)
from fewshot_film.parts.normalization.task_norm import TaskNorm

Factory = Callable[[int], Normalization]

CHANNELS = 6
TASK = [1, 3, 4]
"""The axes of a task's examples and positions."""


def features(*batch: int, seed: int = 0) -> Tensor:
    """(*batch, channels, 3, 2), channels apart in mean and scale."""
    h = torch.randn(*batch, CHANNELS, 3, 2, generator=making.seeded(seed))
    return h * torch.linspace(0.5, 3, CHANNELS).view(-1, 1, 1) + torch.arange(6.0).view(-1, 1, 1)


def lived_in(factory: Factory) -> Normalization:
    norm = factory(CHANNELS).eval()
    making.lived_in(norm)
    return norm


def moments(sample: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
    mean = sample.double().mean(axes, keepdim=True)
    return mean, (sample.double() - mean).square().mean(axes, keepdim=True)


def close(norm: Normalization, out: Tensor, h: Tensor, mean: Tensor, var: Tensor) -> None:
    """out = weight * (h - mean) / sqrt(var + eps) + bias."""
    named = {name.rpartition(".")[2]: p.detach().double() for name, p in norm.named_parameters()}
    weight, bias = (named[name].view(-1, 1, 1) for name in ("weight", "bias"))
    expected = weight * (h.double() - mean) / (var + 1e-5).sqrt() + bias
    torch.testing.assert_close(out.detach().double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factory", [SupportBatchNorm, MetaBatchNorm])
def test_the_support_s_moments(factory: Factory) -> None:
    norm, support, query = lived_in(factory), features(2, 4), features(2, 5, seed=1)
    close(norm, norm(query, norm.describe(support)), query, *moments(support, TASK))
    close(norm, norm(support, {}), support, *moments(support, TASK))


def test_transductive_moments_are_those_of_all_that_is_asked() -> None:
    norm, h = lived_in(TransductiveBatchNorm), features(2, 5)
    close(norm, norm(h, norm.describe(features(2, 4))), h, *moments(h, TASK))
    assert norm.transductive


@pytest.mark.parametrize(
    ("factory", "groups"),
    [
        (layer_norm, 1),
        (instance_norm, CHANNELS),
        (GroupNorm, 2),
        (lambda c: GroupNorm(c, groups=3), 3),
        (lambda c: NORMALIZATIONS.read("group:groups=6")(channels=c), 6),
    ],
)
def test_an_image_s_own_moments(factory: Factory, groups: int) -> None:
    norm, h = lived_in(factory), features(2, 5)
    mean, var = moments(h.unflatten(2, (groups, -1)), [3, 4, 5])
    each = CHANNELS // groups
    spread = [m.squeeze(3).repeat_interleave(each, 2) for m in (mean, var)]
    close(norm, norm(h, {}), h, *spread)


@pytest.mark.parametrize(
    ("factory", "axes"), [(TaskNormInstance, [3, 4]), (TaskNormLayer, [2, 3, 4])]
)
def test_task_norm_follows_the_paper(factory: Factory, axes: list[int]) -> None:
    """The mixture of methods.md, written out: each variance around the common mean."""
    norm, support, query = lived_in(factory), features(2, 4), features(2, 5, seed=1)
    assert isinstance(norm, TaskNorm)
    a = torch.sigmoid(norm.slope * 4 + norm.offset).detach().double()
    (mean_s, var_s), (mean_i, var_i) = moments(support, TASK), moments(query, axes)
    mean = a * mean_s + (1 - a) * mean_i
    var = a * (var_s + (mean_s - mean) ** 2) + (1 - a) * (var_i + (mean_i - mean) ** 2)
    close(norm, norm(query, norm.describe(support)), query, mean, var)


def test_task_norm_by_hand() -> None:
    """Support {0, 2}, image {4, 4}, equal shares: mean 2.5, variance (1 + 2.25 + 0 + 2.25) / 2."""
    norm = TaskNormInstance(1)
    kept = norm.describe(torch.tensor([[0.0, 2.0]]).view(1, 1, 1, 2))
    assert {name: value.item() for name, value in kept.items()} == {
        "mean": 1.0,
        "var": 1.0,
        "share": 0.5,
    }
    out = norm(torch.tensor([4.0, 4.0]).view(1, 1, 1, 2), kept)
    assert out.flatten().tolist() == pytest.approx([1.5 / 2.75**0.5] * 2, rel=1e-5)


def test_more_images_count_for_more() -> None:
    norm = TaskNormLayer(CHANNELS)
    torch.nn.init.constant_(norm.slope, 0.2)
    shares = [norm.describe(features(1, n))["share"].item() for n in (1, 5, 25)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


def test_support_norms_are_trained_as_batch_norm_is() -> None:
    norm, plain, h = lived_in(SupportBatchNorm).train(), BatchNorm(CHANNELS).train(), features(2, 5)
    assert isinstance(norm, SupportBatchNorm)
    plain.load_state_dict(norm.norm.state_dict())
    assert not norm.keeps
    assert norm.describe(h) == {}
    assert torch.equal(norm(h, {}), plain(h, {}))
    own, other = norm.norm.state_dict(), plain.state_dict()
    assert all(torch.equal(own[key], other[key]) for key in own)


def test_batch_norm_takes_moments_that_a_task_brings() -> None:
    norm, h = lived_in(BatchNorm), features(2, 5)
    kept = {"mean": torch.randn(2, CHANNELS), "var": torch.rand(2, CHANNELS) + 0.5}
    mean, var = (kept[name].double().view(2, 1, CHANNELS, 1, 1) for name in ("mean", "var"))
    close(norm, norm(h, kept), h, mean, var)


def test_groups_divide_the_channels() -> None:
    with pytest.raises(UsageError, match="`groups` is 4; it must divide the 6 channels"):
        GroupNorm(CHANNELS, groups=4)


@pytest.mark.parametrize("name", ["support", "meta", "task-norm-i", "task-norm-l"])
def test_what_is_kept_is_saved_with_the_adapted_extractor(name: str) -> None:
    """In the state dict, so that a file of it holds the whole task."""
    features_of = making.classifier(encoder="prototype-mean", normalization=name).features
    support = making.labeled(1, 3, 2)
    adapted = features_of.adapt(support.images[0], support.labels[0])
    assert {"params.block1.mean", "params.block1.var"} <= adapted.state_dict().keys()
    other = features_of.adapt(support.images[0].flip(0), 1 - support.labels[0].clamp(max=1))
    images = making.pictures(4, seed=5)
    other.load_state_dict(adapted.state_dict())
    assert torch.equal(other(images), adapted(images))


def test_the_gradient_flows_through_the_support_s_moments() -> None:
    for name in ("meta", "task-norm-i"):
        net = making.extractor(normalization=name).train()
        support = making.episode().support.images.requires_grad_()
        kept = net.described(support)
        kept["block4"]["var"].sum().backward()
        assert support.grad is not None
        assert support.grad.any()
