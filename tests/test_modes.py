import pytest
import torch
from torch import nn

from fewshot_film.modes import evaluating


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
