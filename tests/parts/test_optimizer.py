from dataclasses import replace
from typing import Any

import making
import pytest
import torch
from torch import nn

from fewshot_film.config.build import build
from fewshot_film.config.config import Config
from fewshot_film.parts.optimizer import make_optimizer, weight_groups

CONFIG = Config(
    dataset="omniglot",
    size=making.SIZE,
    width=4,
    weight_decay=0.25,
    generator_decay=0.75,
    multiplier_decay=0.5,
)


@pytest.mark.parametrize("generator", ["shared", "per-site"])
def test_what_decays(generator: Any) -> None:
    """Matrices by one rate, the generator's and multipliers by others, norms and biases not."""
    model = build(replace(CONFIG, generator=generator))
    names = {id(p): name for name, p in model.named_parameters()}
    decay = {
        names[id(p)]: group["weight_decay"]
        for group in weight_groups(model, CONFIG)
        for p in group["params"]
    }
    assert decay.keys() == set(names.values())
    for name, rate in decay.items():
        weight = model.get_parameter(name)
        if "multiplier" in name:
            assert rate == 0.5, name
        elif weight.ndim > 1:
            assert rate == (0.75 if "generator" in name else 0.25), name
        else:
            assert rate == 0.0, name
    assert set(decay.values()) == {0.0, 0.25, 0.5, 0.75}


def test_a_generator_decays_as_the_rest_unless_told() -> None:
    config = replace(CONFIG, generator_decay=None)
    assert {group["weight_decay"] for group in weight_groups(build(config), config)} == {
        0.0,
        0.25,
        0.5,
    }


def test_a_fixed_metric_scale_is_left_out() -> None:
    model = build(replace(CONFIG, metric_scale="fixed", metric_scale_start=7.5))
    chosen = {id(p) for group in weight_groups(model, CONFIG) for p in group["params"]}
    assert id(model.head.log_scale) not in chosen
    assert float(model.head.log_scale.exp()) == pytest.approx(7.5)


def one_step(config: Config, weight: float, gradient: float, steps: int = 1) -> float:
    """A single matrix entry after `steps` steps with learning rate 0.1 and a constant gradient."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, weight)
    optimizer = make_optimizer(module, config)
    for _ in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        module.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return module.weight.item()


def test_sgd_by_hand() -> None:
    """g = 3 + 0.25 * 2; then momentum 0.9: v = 0.9 g1 + g2."""
    config = replace(CONFIG, optimizer="sgd")
    first = 2 - 0.1 * 3.5
    assert one_step(config, 2.0, 3.0) == pytest.approx(first)
    second = first - 0.1 * (0.9 * 3.5 + 3 + 0.25 * first)
    assert one_step(config, 2.0, 3.0, steps=2) == pytest.approx(second)


def test_adamw_by_hand() -> None:
    """The first step of Adam has length lr; the decay is decoupled: w - lr * decay * w."""
    assert one_step(CONFIG, 2.0, 3.0) == pytest.approx(2 - 0.1 * 0.25 * 2 - 0.1, abs=1e-6)
