import copy
from typing import Any, final

import making
import pytest
import torch
from laws import networks
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.classifier import FewShotClassifier, TaskConditionedExtractor
from fewshot_film.parts.adaptation import ADAPTERS, AdaptiveBatchNorm
from fewshot_film.parts.adaptation.adaptive_batch_norm import batch_norm_of
from fewshot_film.parts.conditioning import CONDITIONINGS
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.extractor import ConditionedNetwork, Extractor, Site, condition
from fewshot_film.parts.extractor.base import Visit
from fewshot_film.parts.head import PrototypeHead
from fewshot_film.parts.statistics.domain import (
    DomainStatistics,
    Moments,
    batch_norms,
    source_statistics,
    with_statistics,
)
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.tasks.episode import LabeledSet

adapt = AdaptiveBatchNorm()


@final
class Short(Extractor):
    """images -> what a site gives behind a stem."""

    def __init__(self, stem: nn.Module, channels: int) -> None:
        super().__init__()
        self.stem, self.site = stem, Site(channels)

    def sites(self) -> dict[str, Site]:
        return {"site": self.site}

    def embed(self, images: Tensor, at: Visit) -> Tensor:
        return at("site", self.site, self.stem(images)).flatten(1)


def replaced(extractor: Extractor, images: Tensor) -> Extractor:
    """A copy in float64 whose batch norms hold the images' moments, layer by layer."""
    made = copy.deepcopy(extractor).double()
    inputs: list[Tensor] = []
    for name, site in made.sites().items():
        norm = batch_norm_of(name, site)
        hook = norm.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        made(images.double().unsqueeze(0))
        hook.remove()
        h = inputs[-1].transpose(0, 1).flatten(1)
        norm.running_mean = h.mean(1)
        norm.running_var = ((h - h.mean(1, keepdim=True)) ** 2).mean(1)
    return made


def close(a: Tensor, b: Tensor) -> None:
    scale = max(1.0, float(b.detach().abs().max()))
    torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_it_replaces_the_moments_layer_by_layer(name: str) -> None:
    net, support = making.extractor(name), making.labeled(3, 3, 2)
    norms = [batch_norm_of(*site) for site in net.sites().items()]
    assert any((norm.weight < 0).any() for norm in norms), "w of both signs"
    queries = making.pictures(3, 5, size=32, seed=9)
    with torch.no_grad():
        features = net(queries, adapt(support, 3, net))
        for t in range(3):
            close(features[t], replaced(net, support.images[t])(queries[t : t + 1].double())[0])


def test_one_site_against_the_equation() -> None:
    net, h = Short(nn.Identity(), channels=3).eval(), torch.randn(2, 4, 3, 5, 5) * 3 + 1
    making.lived_in(net)
    norm = batch_norm_of("site", net.site)
    out = net(h, adapt(LabeledSet(h, torch.zeros(2, 4).long()), 2, net)).view_as(h)
    mean, var = h.mean((1, 3, 4), keepdim=True), h.var((1, 3, 4), keepdim=True, correction=0)
    weight, bias = norm.weight.view(3, 1, 1), norm.bias.view(3, 1, 1)
    torch.testing.assert_close(
        out, weight * (h - mean) / (var + norm.eps).sqrt() + bias, rtol=1e-4, atol=1e-4
    )


def test_support_and_query_are_one_sample() -> None:
    net, episode = making.extractor(), making.episode()
    both = AdaptiveBatchNorm("support+query")
    model = FewShotClassifier(TaskConditionedExtractor(net, both), PrototypeHead()).eval()
    every = torch.cat([episode.support.images, episode.query.images], dim=1)
    params = adapt(LabeledSet(every, episode.support.labels.repeat(1, 2)), 3, net)
    assert torch.equal(model(episode), model.classify(episode, params))
    assert is_transductive(model)
    assert not is_transductive(model.with_adapter(adapt))


def test_a_domain_s_statistics_are_those_of_a_network_that_holds_them() -> None:
    net, images = making.extractor("resnet12"), making.pictures(70, seed=3)
    found = one_pass(net, [images.unsqueeze(0)])
    params = AdaptiveBatchNorm(found)(making.labeled(2, 3, 2), 3, net)
    queries = making.pictures(2, 5, seed=9)
    with torch.no_grad():
        close(net(queries, params), with_statistics(net, found)(queries))


@pytest.mark.parametrize("prior", [1.0, 40.0])
def test_a_prior_is_so_many_images_of_the_source(prior: float) -> None:
    """Against the merge of whole statistics, from the first layer, which sees the images alone."""
    net, support = making.extractor(), making.labeled(1, 3, 2)
    found = AdaptiveBatchNorm(prior=prior)(support, 3, net)["block1"]
    target = one_pass(net, [support.images])
    merged = source_statistics(net, prior).merged(target).norms["blocks.0.site.norm.batch_norm"]
    close(found["mean"][0], merged.mean)
    close(found["var"][0], merged.var)
    blended = AdaptiveBatchNorm(target, prior=prior)(support, 3, net)["block1"]
    close(blended["mean"][0], merged.mean)


@pytest.mark.parametrize("each", [1, 4])
def test_a_share_is_a_part_of_all_however_many_images(each: int) -> None:
    """Moments of the mixture: the law of total variance, by hand, at the first layer."""
    net, support = making.extractor(), making.labeled(2, 3, each)
    norm = batch_norm_of("block1", net.sites()["block1"])
    assert norm.running_mean is not None
    assert norm.running_var is not None
    own = adapt(support, 3, net)["block1"]
    found = AdaptiveBatchNorm(share=0.1)(support, 3, net)["block1"]
    mean = 0.9 * norm.running_mean + 0.1 * own["mean"]
    square = 0.9 * (norm.running_var + norm.running_mean**2)
    square = square + 0.1 * (own["var"] + own["mean"] ** 2)
    close(found["mean"], mean)
    close(found["var"], square - mean**2)


def test_a_share_and_a_prior_say_the_same_in_two_ways() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    for share, prior in ((0.1, 54.0), (0.5, 6.0), (1.0, 0.0)):
        by_share, by_prior = (
            AdaptiveBatchNorm(**kept)(support, 3, net)["block4"]  # type: ignore[arg-type]
            for kept in ({"share": share}, {"prior": prior})
        )
        close(by_share["mean"], by_prior["mean"])
        close(by_share["var"], by_prior["var"])
    found = one_pass(net, [making.pictures(1, 9)])
    blended = AdaptiveBatchNorm(found, share=0.25)(support, 3, net)["block1"]
    merged = source_statistics(net, 3.0).merged(found.counting_as(1.0))
    close(blended["var"][0], merged.norms["blocks.0.site.norm.batch_norm"].var)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(UsageError, match=f"^`share` is {share}; it must be"):
        AdaptiveBatchNorm(share=share)


def test_a_share_and_a_prior_together() -> None:
    with pytest.raises(
        UsageError, match=r"^`share` is 0\.1 and `prior` is 3\.0; pass one of both$"
    ):
        AdaptiveBatchNorm(share=0.1, prior=3.0)


# --- networks that others wrote


@pytest.mark.parametrize("name", networks.WITH_BATCH_NORMS)
def test_a_conditioned_network_with_a_site_at_every_norm(name: str) -> None:
    """As the module itself with those moments in its batch norms, with their own epsilon."""
    module = networks.module(name)
    for norm in batch_norms(module).values():
        norm.eps = 1e-3
    net, support = conditioned(module, "all"), making.labeled(1, 3, 2)
    params = AdaptiveBatchNorm(share=0.1)(support, 3, net)
    moments = {
        net.crossings[site]: Moments(p["mean"][0], p["var"][0], 1.0) for site, p in params.items()
    }
    images = making.pictures(1, 4, seed=9)
    with torch.no_grad():
        expected = with_statistics(module, DomainStatistics(moments))(images[0])
        close(net(images, params)[0], expected)
        assert not torch.allclose(module(images[0]), expected, rtol=1e-3)
    found = one_pass(net, [support.images])
    assert AdaptiveBatchNorm(found)(support, 3, net).keys() == params.keys()


@pytest.mark.parametrize("sites", ["none", "last", "early"])
def test_a_conditioned_network_with_sites_at_some_norms(sites: str) -> None:
    net = conditioned(networks.module("batch-norms"), sites)
    with pytest.raises(UsageError, match=r"is at no site, .*`sites=all` and no `neck`"):
        adapt(making.labeled(2, 3, 2), 3, net)


def conditioned(module: nn.Module, sites: str) -> ConditionedNetwork:
    return condition(module, sites, preprocessing=networks.preprocessing()).eval()


@pytest.mark.parametrize("encoder", ENCODERS.names)
def test_film_follows_the_adapted_batch_norm(encoder: str) -> None:
    """Moments are those of the support set under the learned adapter's FiLM, layer by layer."""
    model, support = making.classifier(encoder=encoder), making.labeled(1, 3, 2)
    net, learned = model.features.extractor, model.features.adapter
    film = learned(support, 3, net)
    params = AdaptiveBatchNorm(film=learned)(support, 3, net)
    for site in film:
        assert torch.equal(params[site]["gamma"], film[site]["gamma"])
    seen: list[Tensor] = []
    for name, site in net.sites().items():
        hook = site.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        net(support.images, params)
        hook.remove()
        close(params[name]["mean"], seen[-1].mean((1, 3, 4)))
    queries = making.pictures(1, 4, seed=9)
    assert not torch.allclose(net(queries, params), net(queries, film), atol=1e-3)


def test_a_domain_s_statistics_go_with_film_too() -> None:
    model, support = making.classifier(), making.labeled(2, 3, 2)
    net, learned = model.features.extractor, model.features.adapter
    found = one_pass(net, [making.pictures(1, 70, seed=3)])
    params = AdaptiveBatchNorm(found, film=learned)(support, 3, net)
    assert params["block1"].keys() == {"mean", "var", "gamma", "beta"}
    film = learned(support, 3, net)
    queries = making.pictures(2, 4, seed=9)
    close(net(queries, params).detach(), with_statistics(net, found)(queries, film).detach())


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


def test_it_works_with_every_mechanism() -> None:
    for mechanism in CONDITIONINGS.names:
        net, support = making.extractor("conv4", mechanism), making.labeled(2, 3, 2)
        expected = making.extractor("conv4")
        close(
            net(support.images, adapt(support, 3, net)).detach(),
            expected(support.images, adapt(support, 3, expected)).detach(),
        )


def test_a_network_with_other_norms() -> None:
    net = making.extractor(normalization="meta")
    words = "'block1' holds MetaBatchNorm; use an extractor with BatchNorm"
    with pytest.raises(UsageError, match=words):
        adapt(making.labeled(2, 3, 2), 3, net)


def named(options: str = "", **given: Any) -> AdaptiveBatchNorm:
    made = ADAPTERS.read(f"adaptive-batch-norm:{options}")(**given)
    assert isinstance(made, AdaptiveBatchNorm)
    return made


def test_it_is_chosen_by_name_and_options() -> None:
    own = making.classifier().features.adapter
    found = one_pass(making.extractor(), [making.pictures(1, 4)])
    plain = named(own=own, domain=never)
    assert (plain.statistics, plain.prior, plain.film) == ("support", 0.0, None)
    assert named("statistics=support+query,prior=3").prior == 3.0
    assert named("share=0.1").share == 0.1
    assert named("statistics=support+query").transductive
    assert named("film=own", own=own, domain=never).film is own
    assert named("statistics=domain", own=own, domain=lambda: found).statistics is found


def never() -> DomainStatistics:
    raise AssertionError("a domain is looked at only where it is asked for")


@pytest.mark.parametrize("options", ["statistics=domain", "film=own"])
def test_what_only_a_trained_run_has(options: str) -> None:
    with pytest.raises(UsageError, match="is for a test of a trained run"):
        named(options)


def test_queries_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="support\\+query was given no queries; classify whole"):
        AdaptiveBatchNorm("support+query")(making.labeled(2, 3, 2), 3, making.extractor())


def test_statistics_of_another_network() -> None:
    found = one_pass(making.extractor("resnet12"), [making.pictures(1, 4)])
    with pytest.raises(UsageError, match="the statistics are of another network"):
        AdaptiveBatchNorm(found)(making.labeled(2, 3, 2), 3, making.extractor())


@pytest.mark.parametrize("prior", [-1.0, float("inf"), float("nan")])
def test_a_prior_that_is_no_number_of_images(prior: float) -> None:
    with pytest.raises(UsageError, match="prior is"):
        AdaptiveBatchNorm(prior=prior)


def test_labels_and_way_are_not_looked_at() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    other = type(support)(support.images, support.labels.flip(1))
    for site, params in adapt(support, 3, net).items():
        for name, value in adapt(other, 2, net)[site].items():
            assert torch.equal(value, params[name])


def test_nothing_to_train() -> None:
    assert not adapt.state_dict()


def test_statistics_of_nothing() -> None:
    words = "statistics is 'domain'; pass 'support', 'support"
    with making.unchecked(), pytest.raises(UsageError, match=words):
        AdaptiveBatchNorm("domain")  # type: ignore[arg-type]


def test_a_batch_norm_at_no_site_is_not_left_behind() -> None:
    net, support = Short(nn.BatchNorm2d(1), channels=1).eval(), making.labeled(2, 3, 2)
    for adapter in (adapt, AdaptiveBatchNorm(one_pass(net, [support.images]))):
        with pytest.raises(UsageError, match="the batch norm 'stem' of Short is at no site"):
            adapter(support, 3, net)


def test_the_source_s_own_statistics_are_the_source_with_any_epsilon() -> None:
    net, support = making.extractor(), making.labeled(2, 3, 2)
    for name, site in net.sites().items():
        batch_norm_of(name, site).eps = 0.1
    params = AdaptiveBatchNorm(source_statistics(net))(support, 3, net)
    close(net(support.images, params), net(support.images))
