"""Adaptive batch norm on networks of torch's own modules, and on this library's extractors."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.base.files import save_tensors
from fewshot_film.errors import UsageError
from fewshot_film.parts.statistics.domain import (
    DomainStatistics,
    Moments,
    moments,
    source_statistics,
    with_statistics,
)
from fewshot_film.parts.statistics.estimators import (
    FewImagesWarning,
    adapt_batchnorm,
    layer_by_layer,
    one_pass,
    online,
)

ESTIMATORS: list[Callable[..., DomainStatistics]] = [one_pass, online, layer_by_layer]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)


def images(count: int, seed: int = 0) -> Tensor:
    return 2 * making.pictures(count, channels=3, seed=seed) + 0.5


def convolutional() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4)
    )
    making.lived_in(net)
    return net.eval()


def dense() -> nn.Module:
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    return net.eval()


NETWORKS = [convolutional, dense]
every_network = pytest.mark.parametrize("make", NETWORKS)


def by_hand(net: nn.Module, data: Tensor) -> nn.Module:
    """A copy in float64 whose norms hold the moments of all images, from the bottom up."""
    made = copy.deepcopy(net).double()
    for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)):
        inputs: list[Tensor] = []
        hook = norm.register_forward_pre_hook(lambda _, args, inputs=inputs: inputs.append(args[0]))
        made(data.double())
        hook.remove()
        h = inputs[0].transpose(0, 1).flatten(1)
        norm.running_mean = h.mean(1)
        norm.running_var = ((h - h.mean(1, keepdim=True)) ** 2).mean(1)
    return made


def close(a: Tensor, b: Tensor) -> None:
    scale = max(1.0, float(b.abs().max()))
    torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=1e-5 * scale)


@every_network
def test_layer_by_layer_is_exact_whatever_the_batches(make: Callable[[], nn.Module]) -> None:
    net, data = make(), images(70)
    with torch.no_grad():
        expected = by_hand(net, data)(data.double())
        for sizes in ([70], [10, 40, 20], [1] * 70):
            adapted = adapt_batchnorm(net, data.split(sizes), estimator=layer_by_layer)
            close(adapted(data), expected)


@every_estimator
@every_network
def test_one_batch_gives_the_same_by_every_estimator(
    make: Callable[[], nn.Module], estimator: Callable[..., DomainStatistics]
) -> None:
    net, data = make(), images(70)
    with torch.no_grad():
        close(
            adapt_batchnorm(net, [data], estimator=estimator)(data),
            by_hand(net, data)(data.double()),
        )


@every_estimator
def test_the_network_given_is_left_alone(estimator: Callable[..., DomainStatistics]) -> None:
    net, data = convolutional().train(), images(70)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    adapted = adapt_batchnorm(net, [data], estimator=estimator)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert net.training
    assert sum(len(m._forward_pre_hooks) for m in [*net.modules(), *adapted.modules()]) == 0
    weights = {k for k in before if "running" not in k and "tracked" not in k}
    assert all(torch.equal(adapted.state_dict()[key], before[key]) for key in weights)


def test_it_adapts_every_norm_of_an_extractor() -> None:
    """The shortcuts of ResNet-12 too, which are no sites."""
    net, data = making.extractor("resnet12", channels=3), images(70)
    found = one_pass(net, [data.unsqueeze(0)])
    assert len(found.norms) == 16
    assert all(m.images == 70 for m in found.norms.values())


# --- moments


def test_layer_by_layer_asks_for_batches_that_stay() -> None:
    stream = (batch for batch in [torch.zeros(2, 1, 8, 8)])
    with pytest.raises(UsageError, match="given a generator; pass a list of them"):
        layer_by_layer(nn.BatchNorm2d(1), stream)


def test_merging_is_pooling() -> None:
    """Against one look at all in float64; parts of any size, in any order."""
    h = torch.randn(90, 4, 3, 3) * torch.arange(1, 5).view(4, 1, 1) + 7
    parts = [moments(part) for part in h.split([1, 50, 9, 30])]
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = forward.merged(part)
    for part in parts[-2::-1]:
        backward = backward.merged(part)
    exact = h.double()
    for found in (forward, backward):
        assert found.images == 90
        torch.testing.assert_close(found.mean, exact.mean((0, 2, 3)), rtol=1e-6, atol=0)
        torch.testing.assert_close(found.var, exact.var((0, 2, 3), correction=0), rtol=1e-5, atol=0)


def test_merging_by_hand() -> None:
    """{0, 2} and {5}: mean 7/3, variance ((7/3)^2 + (1/3)^2 + (8/3)^2) / 3."""
    a, b = moments(torch.tensor([[0.0], [2.0]])), moments(torch.tensor([[5.0]]))
    assert (a.mean.item(), a.var.item(), b.var.item()) == (1.0, 1.0, 0.0)
    found = a.merged(b)
    assert found.mean.item() == pytest.approx(7 / 3)
    assert found.var.item() == pytest.approx((49 + 1 + 64) / 27)


@pytest.mark.slow
def test_a_stream_of_a_million_images_stays_exact() -> None:
    """Values near 1,000 in float32, a thousand batches of a thousand."""
    net = nn.Sequential(nn.BatchNorm1d(2)).eval()
    rng = making.seeded()
    total, squares = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)

    def stream() -> Iterator[Tensor]:
        for _ in range(1000):
            batch = torch.randn(1000, 2, generator=rng) + 1000
            total.add_(batch.double().sum(0))
            squares.add_((batch.double() - 1000).square().sum(0))
            yield batch

    (found,) = online(net, stream()).norms.values()
    mean = total / 1e6
    assert found.images == 1e6
    torch.testing.assert_close(found.mean, mean, rtol=1e-8, atol=0)
    torch.testing.assert_close(found.var, squares / 1e6 - (mean - 1000) ** 2, rtol=1e-4, atol=0)


def test_a_stream_can_go_on() -> None:
    net, data = convolutional(), images(60)
    whole = online(net, data.split(20))
    rest = online(net, data[20:].split(20), start=online(net, [data[:20]]))
    for name, found in whole.norms.items():
        assert torch.equal(found.mean, rest.norms[name].mean)
        assert torch.equal(found.var, rest.norms[name].var)


# --- statistics as things


def test_saved_and_loaded_and_swapped(tmp_path: Path) -> None:
    net, data = convolutional(), images(70)
    one_pass(net, [data]).save(tmp_path / "domain.safetensors")
    swapped = with_statistics(net, DomainStatistics.load(tmp_path / "domain.safetensors"))
    assert torch.equal(swapped(data), adapt_batchnorm(net, [data])(data))
    assert torch.equal(with_statistics(swapped, source_statistics(net))(data), net(data))


class OutOfOrder(nn.Module):
    """Its norms are used in another order than they are defined in."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.first = nn.BatchNorm1d(3), nn.BatchNorm1d(3)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.second(10 * self.first(h) + 20)
        return out


def test_statistics_are_merged_by_name(tmp_path: Path) -> None:
    net, h = OutOfOrder().eval(), torch.randn(80, 3) + 5
    own = one_pass(net, [h])
    assert list(own.norms) == ["first", "second"]
    adapted = adapt_batchnorm(net, [h], prior=1e-9)
    torch.testing.assert_close(adapted(h), with_statistics(net, own)(h), rtol=1e-4, atol=1e-4)
    own.save(tmp_path / "own")
    for name, found in own.merged(DomainStatistics.load(tmp_path / "own")).norms.items():
        torch.testing.assert_close(found.mean, own.norms[name].mean)
        torch.testing.assert_close(found.var, own.norms[name].var)
    with pytest.raises(UsageError, match="the statistics are of another network"):
        own.merged(one_pass(dense(), [images(4)]))


def test_an_extractor_s_batches_of_bytes_and_of_tasks() -> None:
    net = making.extractor(channels=3)
    pixels = (making.pictures(1, 70, channels=3) * 255).round().byte()
    as_floats = one_pass(net, [pixels / 255])
    for name, found in one_pass(net, [pixels]).norms.items():
        torch.testing.assert_close(found.mean, as_floats.norms[name].mean)
    with pytest.raises(UsageError, match="batch 1 of the target domain holds no images"):
        one_pass(net, [torch.zeros(1, 0, 3, 16, 16)])
    bad = making.pictures(2, 4, channels=3)
    bad[1, 2, 0, 0, 0] = torch.inf
    with pytest.raises(UsageError, match="image 6 of batch 1 holds values that are not finite"):
        one_pass(net, [bad])


def test_half_precision_images_are_not_taken_for_infinite() -> None:
    one_pass(nn.BatchNorm2d(3), [torch.full((64, 3, 84, 84), 0.5, dtype=torch.float16)])


def test_a_file_of_something_else(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x", {"a": torch.ones(1)}, {"a": "1.0"})
    with pytest.raises(UsageError, match="holds no statistics of batch norms"):
        DomainStatistics.load(tmp_path / "x")


def test_domains_are_mixed_as_their_images_would_be() -> None:
    net, a, b = dense(), images(40), images(30, seed=1)
    mixed = one_pass(net, [a]).merged(one_pass(net, [b])).norms
    pooled = one_pass(net, [torch.cat([a, b])]).norms
    for name, found in mixed.items():
        torch.testing.assert_close(found.mean, pooled[name].mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.var, pooled[name].var, rtol=1e-5, atol=1e-6)
    half = one_pass(net, [a]).counting_as(1.0).merged(one_pass(net, [b]).counting_as(1.0))
    assert all(m.images == 2 for m in half.norms.values())


def test_a_prior_leads_from_the_target_to_the_source() -> None:
    net, data = convolutional(), images(70)
    far = adapt_batchnorm(net, [data], prior=1e12)
    close(far(data).detach(), net(data).detach())
    apart = [
        float((adapt_batchnorm(net, [data], prior=prior)(data) - net(data)).detach().norm())
        for prior in (0.0, 10.0, 100.0, 1000.0)
    ]
    assert apart == sorted(apart, reverse=True)


def test_moments_are_biased_as_batch_norm_normalises() -> None:
    norm, h = nn.BatchNorm2d(3), torch.randn(4, 3, 2, 2)
    adapted = adapt_without_warning(nn.Sequential(norm).eval(), h)
    torch.testing.assert_close(adapted(h), norm.train()(h))


def adapt_without_warning(net: nn.Module, data: Tensor) -> nn.Module:
    return with_statistics(net, one_pass(net, [data]))


# --- bad input


def test_few_images_are_warned_of() -> None:
    with pytest.warns(FewImagesWarning, match="from 20 images: with 16 or 32 the paper fell below"):
        adapt_batchnorm(convolutional(), [images(20)])
    adapt_batchnorm(convolutional(), [images(20)], prior=50.0)


def test_a_network_without_batch_norm() -> None:
    with pytest.raises(UsageError, match="Linear holds no batch norm to adapt; fine-tune it"):
        adapt_batchnorm(nn.Linear(2, 2), [torch.ones(70, 2)])


def test_a_norm_without_statistics() -> None:
    net = nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False))
    with pytest.raises(UsageError, match="the batch norm 0 keeps no running statistics"):
        one_pass(net, [torch.ones(4, 2)])


@every_estimator
@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "was given no batch"),
        ([images(2), images(2)[:0]], "batch 2 of the target domain holds no images"),
        ([images(2), images(3).index_fill(0, torch.tensor(1), torch.nan)], "image 1 of batch 2"),
    ],
    ids=["none", "empty", "not finite"],
)
def test_bad_batches(
    batches: list[Tensor], words: str, estimator: Callable[..., DomainStatistics]
) -> None:
    net = convolutional()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(UsageError, match=words):
        estimator(net, batches)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@every_estimator
@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (images(2)[:, :1], r"input\[2, 1, 16, 16\] to have 3 channels"),
        (images(2)[..., :2, :2], "Kernel size can't be greater than actual input size"),
    ],
    ids=["channels", "size"],
)
def test_what_a_network_says_of_its_input_is_left_as_it_is(
    batch: Tensor, words: str, estimator: Callable[..., DomainStatistics]
) -> None:
    """What any network takes is its own to know; it is left as it was all the same."""
    net = convolutional()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(RuntimeError, match=words):
        estimator(net, [images(2), batch])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(m._forward_pre_hooks for m in net.modules())


@every_estimator
def test_one_tensor_is_no_list_of_batches(estimator: Callable[..., DomainStatistics]) -> None:
    words = (
        r"are one tensor, of shape \(70, 3, 16, 16\); pass a list of batches, such as \[images\]"
    )
    with making.unchecked(), pytest.raises(UsageError, match=words):
        estimator(convolutional(), images(70))


def test_statistics_of_another_network() -> None:
    found = one_pass(dense(), [images(4)])
    with pytest.raises(UsageError, match="the statistics are of another network"):
        with_statistics(convolutional(), found)
    assert isinstance(found.norms["2"], Moments)


class WithHead(nn.Module):
    """A network with a head that only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.BatchNorm2d(3)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.norm(h)
        return self.head(out) if self.training else out


@every_estimator
def test_a_batch_norm_that_is_not_used_keeps_the_source_s(
    estimator: Callable[..., DomainStatistics],
) -> None:
    net, data = WithHead(), images(70)
    making.lived_in(net)
    found = estimator(net.eval(), [data]).norms
    assert net.head.running_mean is not None
    torch.testing.assert_close(found["head"].mean.float(), net.head.running_mean)
    torch.testing.assert_close(found["norm"].mean.float(), data.mean((0, 2, 3)))
    adapted = adapt_batchnorm(net, [data])(data)
    torch.testing.assert_close(adapted.mean((0, 2, 3)), net.norm.bias, rtol=0, atol=1e-5)


@every_estimator
def test_a_network_that_uses_none_of_its_batch_norms(
    estimator: Callable[..., DomainStatistics],
) -> None:
    net = making.extractor(normalization="support", channels=3).eval()
    with pytest.raises(UsageError, match="no image came to a batch norm of Conv4"):
        estimator(net, [making.pictures(1, 4, channels=3)])


@pytest.mark.parametrize("prior", [-60.0, float("nan"), float("inf")])
def test_a_prior_is_a_number_of_images(prior: float) -> None:
    with pytest.raises(UsageError, match=r"prior is .*; pass 0 or more images"):
        adapt_batchnorm(convolutional(), [images(70)], prior=prior)


@pytest.mark.parametrize("count", [0.0, -1.0, float("nan")])
def test_moments_stand_for_images(count: float) -> None:
    net = convolutional()
    with pytest.raises(UsageError, match="pass a number above 0"):
        source_statistics(net, count)
    with pytest.raises(UsageError, match="pass a number above 0"):
        one_pass(net, [images(4)]).counting_as(count)


def test_the_source_s_statistics_do_not_follow_its_training() -> None:
    net = convolutional().double()
    kept = source_statistics(net)
    before = kept.norms["1"].mean.clone()
    net.train()(images(8).double())
    assert torch.equal(kept.norms["1"].mean, before)


def test_finite_images_whose_sum_overflows() -> None:
    data = torch.full((2, 3, 8, 8), 3e38)
    one_pass(nn.BatchNorm2d(3).eval(), [data])


def test_batches_with_labels_are_refused() -> None:
    loader: Any = iter([(images(4), torch.zeros(4))])
    with pytest.raises(UsageError, match="batch 1 of the target domain is a tuple; pass tensors"):
        one_pass(convolutional(), loader)


def test_statistics_are_saved_under_a_path_in_words(tmp_path: Path) -> None:
    found = one_pass(convolutional(), [images(4)])
    found.save(str(tmp_path / "x.safetensors"))
    assert DomainStatistics.load(str(tmp_path / "x.safetensors")).norms.keys() == found.norms.keys()


def test_a_classifier_of_episodes_is_no_network_of_images() -> None:
    """Its extractor is one, of tasks."""
    model, data = making.classifier(), making.pictures(4)
    with making.unchecked():
        with pytest.raises(UsageError, match=r"was given a Tensor; pass images to its `feature"):
            one_pass(model, [data])
        with pytest.raises(UsageError, match=r"are \(4, 1, 16, 16\); pass images\.unsqueeze"):
            one_pass(model.features.extractor, [data])
    assert one_pass(model.features.extractor, [data.unsqueeze(0)]).norms
