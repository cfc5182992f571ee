from typing import Any

import making
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.optimizer import OPTIMIZERS, adamw, sgd, weight_groups


def decays(model: FewShotClassifier, *amounts: float | None) -> dict[str, float]:
    """weight -> its decay, of weights that are each in one group."""
    names = {id(p): name for name, p in model.named_parameters()}
    decay, generator_decay, multiplier_decay = amounts
    assert decay is not None
    assert multiplier_decay is not None
    groups = weight_groups(model, decay, generator_decay, multiplier_decay)
    found = [(names[id(p)], group["weight_decay"]) for group in groups for p in group["params"]]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize("encoder", ["discriminative", "prototype-mean"])
@pytest.mark.parametrize("generator", ["shared", "per-site"])
def test_what_decays(generator: str, encoder: str) -> None:
    """Matrices by one rate, the generator's and multipliers by others, norms and biases not."""
    model = making.classifier(generator=generator, encoder=encoder)
    found = decays(model, 0.25, 0.75, 0.5)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    for name, rate in found.items():
        weight = model.get_parameter(name)
        if "multiplier" in name:
            assert rate == 0.5, name
        elif weight.ndim > 1:
            assert rate == (0.75 if "generator" in name else 0.25), name
        else:
            assert rate == 0.0, name
    assert set(found.values()) == {0.0, 0.25, 0.5, 0.75}


def test_a_generator_decays_as_the_rest_unless_told() -> None:
    model = making.classifier()
    assert set(decays(model, 0.25, None, 0.5).values()) == {0.0, 0.25, 0.5}
    assert decays(model, 0.25, None, 0.5) == decays(model, 0.25, 0.25, 0.5)
    assert set(decays(model, 0.25, 0.0, 0.0).values()) == {0.0, 0.25}


def test_a_fixed_metric_scale_is_left_out() -> None:
    model = making.classifier(head="euclidean:scale=7.5,learned=no")
    assert "head.log_scale" not in decays(model, 0.25, 0.75, 0.5)
    assert float(model.get_parameter("head.log_scale").exp()) == pytest.approx(7.5)


@pytest.mark.parametrize("optimizer", [adamw, sgd])
@pytest.mark.parametrize("adapter", ["none", "adaptive-batch-norm"])
def test_what_is_of_a_generator_where_there_is_none(optimizer: Any, adapter: str) -> None:
    """A generator's decay is refused whatever its amount, that of multipliers if there is any."""
    model = making.classifier(adapter=adapter)
    for given in ({"generator_decay": 0.5}, {"generator_decay": 0.0}, {"multiplier_decay": 0.5}):
        with pytest.raises(UsageError, match="are of a generator, and nothing generates parameter"):
            optimizer(model, **given)
    assert set(decays(model, 0.25, None, 0.0).values()) == {0.0, 0.25}


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_an_optimizer_holds_every_weight_by_its_decay(name: str) -> None:
    model = making.classifier()
    text = f"{name}:decay=0.25,generator_decay=0.75,multiplier_decay=0.5"
    optimizer = OPTIMIZERS.read(text)(modules=model)
    held = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    expected = decays(model, 0.25, 0.75, 0.5)
    assert held == {id(model.get_parameter(name)): rate for name, rate in expected.items()}
    plain = OPTIMIZERS.read(name)(modules=model)
    assert {group["weight_decay"] for group in plain.param_groups} == {0.0}


def after(optimizer: Optimizer, weight: Tensor, gradient: float, steps: int = 1) -> float:
    """A single matrix entry after `steps` steps with learning rate 0.1 and a constant gradient."""
    for _ in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return weight.item()


@pytest.fixture
def module() -> nn.Linear:
    """One weight, 2."""
    made = nn.Linear(1, 1, bias=False)
    nn.init.constant_(made.weight, 2.0)
    return made


FIRST = 2 - 0.1 * 3.5
"""g = 3 + 0.25 * 2."""


def test_sgd_by_hand(module: nn.Linear) -> None:
    """g = 3 + 0.25 * 2; then momentum 0.9: v = 0.9 g1 + g2."""
    optimizer = sgd(module, decay=0.25)
    assert after(optimizer, module.weight, 3.0) == pytest.approx(FIRST)
    second = FIRST - 0.1 * (0.9 * 3.5 + 3 + 0.25 * FIRST)
    assert after(optimizer, module.weight, 3.0) == pytest.approx(second)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_sgd_with_another_momentum(module: nn.Linear, momentum: float) -> None:
    optimizer = sgd(module, decay=0.25, momentum=momentum)
    second = FIRST - 0.1 * (momentum * 3.5 + 3 + 0.25 * FIRST)
    assert after(optimizer, module.weight, 3.0, steps=2) == pytest.approx(second)


def test_adamw_by_hand(module: nn.Linear) -> None:
    """The first step of Adam has length lr; the decay is decoupled: w - lr * decay * w."""
    optimizer = adamw(module, decay=0.25)
    expected = 2 - 0.1 * 0.25 * 2 - 0.1
    assert after(optimizer, module.weight, 3.0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_a_weight_may_get_its_first_gradient_late(name: str) -> None:
    """As that of co-training does."""
    early, late = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    optimizer = OPTIMIZERS.read(f"{name}:decay=0.25")(modules=nn.ModuleList([early, late]))
    before = late.weight.item()
    after(optimizer, early.weight, 3.0, steps=2)
    assert late.weight.item() == before
    assert after(optimizer, late.weight, 3.0) < before
