import pytest
import torch
from torch import nn

from fewshot_film.base.modes import evaluating, uncounted


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def test_every_mode_is_put_back() -> None:
    norm = nn.BatchNorm1d(2)
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(norm, nn.Dropout())).train()
    norm.eval()
    before = [m.training for m in module.modules()]
    with evaluating(module):
        assert not any(m.training for m in module.modules())
        assert not torch.is_grad_enabled()
    assert [m.training for m in module.modules()] == before
    assert torch.is_grad_enabled()


def test_an_error_puts_them_back_too() -> None:
    module = network().train()

    def fail() -> None:
        with evaluating(module):
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert all(m.training for m in module.modules())
    assert torch.is_grad_enabled()


def test_a_module_in_evaluation_stays_there() -> None:
    module = network().eval()
    with evaluating(module):
        pass
    assert not any(m.training for m in module.modules())


def test_uncounted_passes_leave_the_statistics_alone() -> None:
    module, images = network().train(), torch.randn(8, 2)
    before = {k: v.clone() for k, v in module.state_dict().items() if "running" in k}
    with uncounted(module):
        inside = module(images)
    after = module.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    assert torch.equal(module(images), inside), "batch statistics, as in any training pass"
    assert not any(torch.equal(module.state_dict()[k], v) for k, v in before.items())


def test_momentum_is_put_back_after_an_error() -> None:
    module = network()

    def fail() -> None:
        with uncounted(module):
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert [m.momentum for m in module.modules() if isinstance(m, nn.BatchNorm1d)] == [0.1]
