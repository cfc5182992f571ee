import copy
from dataclasses import replace
from typing import Any

import making
import pytest
import torch
from necks import necked, passes
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import (
    ADAPTERS,
    Adapter,
    AdaptiveBatchNorm,
    GradientAdapter,
)
from fewshot_film.parts.adaptation import gradient as module
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.head import HEADS, Head, PrototypeHead
from fewshot_film.tasks.episode import LabeledSet

WAY = 3


def head() -> Head:
    return PrototypeHead(scale=0.5)


def fitting(net: Extractor, own: Adapter | None = None, **options: Any) -> GradientAdapter:
    return GradientAdapter(net.identity(), head(), own, **options)


def losses(net: Extractor, support: LabeledSet, params: TaskParams) -> Tensor:
    """The adapter's own criterion, from the head's images left out."""
    logits = head().leave_one_out(net(support.images, params), support.labels, WAY)
    return torch.stack(
        [nn.functional.cross_entropy(*t) for t in zip(logits, support.labels, strict=True)]
    )


def same(params: TaskParams, others: TaskParams) -> bool:
    return all(
        torch.equal(value, others[site][name])
        for site, values in params.items()
        for name, value in values.items()
    )


@pytest.mark.parametrize("name", HEADS.names)
def test_every_task_s_loss_falls(name: str) -> None:
    net, support, chosen = making.extractor(), making.labeled(4, WAY, 3), HEADS.read(name)()
    adapter = GradientAdapter(net.identity(), chosen, learning_rate=0.02)
    before, after = (
        adapter.left_out.losses(net, support, WAY, params)
        for params in (making.identity_params(net, 4), adapter(support, WAY, net))
    )
    assert (after < before).all()


def test_one_step_against_the_equation() -> None:
    """Adam's first is lr * g / (|g| + epsilon)."""
    net, support = making.extractor(), making.labeled(2, WAY, 2)
    start = making.identity_params(net, 2)
    free = {s: {n: v.clone().requires_grad_() for n, v in d.items()} for s, d in start.items()}
    losses(net, support, free).sum().backward()
    found = fitting(net, steps=1, learning_rate=1e-3)(support, WAY, net)
    for site, values in free.items():
        for name, value in values.items():
            assert value.grad is not None
            size = value.grad.abs() + module.EPSILON
            expected = (value - 1e-3 * value.grad / size).detach()
            torch.testing.assert_close(found[site][name], expected, rtol=0, atol=1e-5)


def test_a_task_keeps_the_best_of_its_steps_and_the_start() -> None:
    """With steps far too long, some tasks are better off somewhere, and some at the start."""
    net, support = making.extractor(), making.labeled(8, WAY, 2)
    start = making.identity_params(net, 8)
    found = fitting(net, steps=2, learning_rate=1.0)(support, WAY, net)
    before, after = losses(net, support, start), losses(net, support, found)
    assert (after <= before).all()
    stayed = torch.stack([(found["block1"]["gamma"] == 1).all(1), after == before])
    assert torch.equal(*stayed)
    assert 0 < stayed[0].sum() < 8


def test_a_batch_of_tasks_is_the_tasks_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net, support = making.extractor(), making.labeled(3, WAY, 2)
    adapter = fitting(net)
    together = adapter(support, WAY, net)
    monkeypatch.setattr(module, "PIXELS", 1)
    apart = adapter(support, WAY, net)
    for site, values in together.items():
        for name, value in values.items():
            torch.testing.assert_close(value, apart[site][name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_needs_no_gradients_of_its_caller(mode: Any) -> None:
    net, support = making.extractor(), making.labeled(2, WAY, 2)
    expected = fitting(net)(support, WAY, net)
    with mode():
        images = support.images * 1  # which an inference makes its own kind of tensor
        found = fitting(net)(replace(support, images=images), WAY, net)
        assert not any(v.requires_grad for values in found.values() for v in values.values())
        assert net(support.images, found).isfinite().all()
    assert same(found, expected)


def test_a_training_goes_on_as_it_was() -> None:
    """No weight, no statistic and no gradient moves, and every module is in its mode."""
    net, support = making.extractor().train(), making.labeled(2, WAY, 2)
    net.sites()["block2"].eval()
    before, modes = copy.deepcopy(net.state_dict()), [m.training for m in net.modules()]
    found = fitting(net)(support, WAY, net)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert same(found, fitting(net)(support, WAY, net.eval()))


# --- its start


def test_it_starts_where_a_run_s_own_adapter_leads() -> None:
    model, support = making.classifier(), making.labeled(3, WAY, 2)
    net, own = model.features.extractor, model.features.adapter
    film = own(support, WAY, net)
    adapter = fitting(net, own, start="own", learning_rate=1e-3)
    found = adapter(support, WAY, net)
    assert (losses(net, support, found) < losses(net, support, film)).all()
    for site, values in film.items():
        for name, value in values.items():
            torch.testing.assert_close(found[site][name], value.detach(), rtol=0, atol=0.03)
    assert not same(found, fitting(net, own, learning_rate=1e-3)(support, WAY, net))


def test_moments_of_its_start_stay() -> None:
    net, support = making.extractor(), making.labeled(2, WAY, 2)
    with torch.no_grad():
        moments = AdaptiveBatchNorm()(support, WAY, net)
    found = fitting(net, AdaptiveBatchNorm(), start="own")(support, WAY, net)
    assert same(moments, found)
    assert found["block1"].keys() == {"mean", "var", "gamma", "beta"}
    both = AdaptiveBatchNorm("support+query")
    assert fitting(net, both, start="own").transductive
    assert not fitting(net, both).transductive


def test_a_training_has_no_adapter_of_its_own_yet() -> None:
    with pytest.raises(UsageError, match=r"`start=own` is for a test of a trained run; .*@own.gra"):
        ADAPTERS.read("gradient:start=own")(identity=making.extractor().identity(), head=head())


def test_sites_that_take_nothing() -> None:
    with pytest.raises(UsageError, match="no site takes parameters"):
        fitting(making.extractor("conv4", "none"))


# --- one image of a class


def test_one_shot_is_refused() -> None:
    net = making.extractor()
    with pytest.raises(UsageError, match=r"give every class two images or more .*one_shot=start"):
        fitting(net)(making.labeled(2, WAY, 1), WAY, net)


def test_one_shot_may_stay_at_the_start() -> None:
    model = making.classifier()
    net, own = model.features.extractor, model.features.adapter
    support = making.labeled(2, WAY, 1)
    stay = fitting(net, one_shot="start")
    assert same(stay(support, WAY, net), making.identity_params(net, 2))
    stay = fitting(net, own, start="own", one_shot="start")
    assert same(stay(support, WAY, net), own(support, WAY, net))


def test_the_tasks_with_more_are_fitted() -> None:
    net, support = making.extractor(), making.labeled(3, WAY, 2)
    lone = support.labels.clone()
    lone[1] = torch.tensor([0, 1, 1, 2, 2, 2])
    mixed = replace(support, labels=lone)
    found = fitting(net, one_shot="start")(mixed, WAY, net)
    assert same(making.of_tasks(found, slice(1, 2)), making.identity_params(net, 1))
    some = torch.tensor([0, 2])
    rest = LabeledSet(support.images[some], support.labels[some])
    expected = fitting(net)(rest, WAY, net)
    for site, values in expected.items():
        for name, value in values.items():
            torch.testing.assert_close(found[site][name][some], value, rtol=0, atol=1e-4)
    with pytest.raises(UsageError, match="a class has no other"):
        fitting(net)(mixed, WAY, net)


# --- readings


def test_a_frozen_network_is_passed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, support = necked(), making.labeled(2, WAY, 2)
    given = passes(net, monkeypatch)
    found = fitting(net)(support, WAY, net)
    assert given == [12]
    assert found.keys() == {"neck"}
    read = net.read(support.images.flatten(0, 1)).unflatten(0, support.images.shape[:2])
    assert same(found, fitting(net)(replace(support, images=read), WAY, net))
