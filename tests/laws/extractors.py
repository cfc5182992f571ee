"""The laws of an extractor, with every mechanism and normalization at its sites."""

import copy

import making
import torch
from laws.broken import conditionings, extractors, normalizations
from laws.cases import Case
from laws.exceptions import NOT_NEUTRAL, NOT_STEERED, TRANSDUCTIVE
from laws.law import Laws
from laws.telling import apart, close, same_state, state_of

from fewshot_film.parts.extractor import Site

LAWS = Laws(("extractor", "conditioning", "normalization"))


@LAWS.law(extractors.Unscaled, shapes=True)
def features_are_of_the_size_that_it_says(case: Case) -> None:
    net = case.net()
    for size in (16, 33):
        out = net(making.pictures(2, 3, size=size), making.task_params(net, 2))
        assert out.shape == (2, 3, net.feature_dim(1, size))
        assert out.isfinite().all()


@LAWS.law(extractors.Backwards)
def sites_are_named_in_the_order_of_the_data_flow(case: Case) -> None:
    net = copy.deepcopy(case.net())
    sites, seen = net.sites(), list[str]()
    for name, site in sites.items():
        site.register_forward_hook(lambda *_, name=name: seen.append(name))
    net(making.pictures(1, 2))
    assert seen == list(sites)
    assert not any("." in name for name in sites)
    assert {id(s) for s in sites.values()} == {id(m) for m in net.modules() if isinstance(m, Site)}


@LAWS.law(conditionings.Shifting, exceptions=NOT_NEUTRAL)
def no_parameters_are_identity_parameters(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 3)
    close(net(images, making.identity_params(net, 2)), net(images))


@LAWS.law(conditionings.Deaf, exceptions=NOT_STEERED)
def every_site_and_parameter_matters(case: Case) -> None:
    """Near identity, where no site shuts the way of another."""
    net, images = case.net(), making.pictures(1, 3, size=32)
    params, other = (making.task_params(net, 1, seed=s, spread=0.3) for s in (0, 1))
    assert net.identity()
    expected = net(images, params)
    for site, values in net.identity().items():
        for name in values:
            moved = {**params, site: {**params[site], name: other[site][name]}}
            assert apart(net(images, moved), expected), (site, name)


@LAWS.law(conditionings.MixingTasks, normalizations.MixingTasks)
def a_task_alone_is_the_task_in_a_batch(case: Case) -> None:
    net, images = case.net(), making.pictures(3, 4)
    params = making.task_params(net, 3)
    tasks = [slice(t, t + 1) for t in range(3)]
    alone = [net(images[task], making.of_tasks(params, task)) for task in tasks]
    close(torch.cat(alone), net(images, params))


@LAWS.law(
    conditionings.MixingExamples, normalizations.Peeking, extractors.Mixing, exceptions=TRANSDUCTIVE
)
def an_example_alone_is_the_example_among_others(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 5)
    params = making.task_params(net, 2)
    alone = [net(image, params) for image in images.split([1, 2, 2], dim=1)]
    close(torch.cat(alone, dim=1), net(images, params))


@LAWS.law(conditionings.Placed)
def the_order_of_the_examples_does_not_matter(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 5)
    params, order = making.task_params(net, 2), torch.tensor([3, 1, 4, 0, 2])
    close(net(images[:, order], params), net(images, params)[:, order])


@LAWS.law(conditionings.Coarse)
def an_extractor_in_float64(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 3)
    params = making.task_params(net, 2)
    double = {s: {n: v.double() for n, v in p.items()} for s, p in params.items()}
    exact = copy.deepcopy(net).double()(images.double(), double)
    assert exact.dtype == torch.float64
    close(net(images, params), exact.float(), 1e-5)


@LAWS.law(extractors.Overflowing)
def an_extractor_in_autocast(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 3)
    params = making.task_params(net, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = net(images, params)
    close(half.float(), net(images, params), 0.1)


@LAWS.law(extractors.Raw)
def bytes_are_the_same_images(case: Case) -> None:
    net, pixels = case.net(), (making.pictures(2, 3) * 255).round().byte()
    close(net(pixels), net(pixels / 255))


@LAWS.law(extractors.Viewing)
def the_memory_format_of_the_images_does_not_matter(case: Case) -> None:
    net, images = case.net(channels=3), making.pictures(2, 3, channels=3)
    last = images.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert last.stride() != images.stride()
    params = making.task_params(net, 2, channels=3)
    close(net(last, params), net(images, params))


@LAWS.law(conditionings.Counting)
def an_extractor_remembers_nothing(case: Case) -> None:
    net, images = copy.deepcopy(case.net()), making.pictures(2, 3)
    params, before = making.task_params(net, 2), state_of(net)
    first = net(images, params)
    net(making.pictures(2, 3, seed=1))
    modes = [m.training for m in net.train().modules()]
    net.feature_dim(1, 32)
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(net.eval()(images, params), first)
    assert same_state(net, before)


@LAWS.law(conditionings.Tracing, costly=True)
def an_extractor_can_be_exported(case: Case) -> None:
    net, images = case.net(), making.pictures(2, 3)
    params = making.task_params(net, 2)
    with making.unchecked():
        made = torch.export.export(net, (images, params)).module()
        close(made(images, params), net(images, params))
