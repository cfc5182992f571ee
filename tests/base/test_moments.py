import making
import pytest
import torch
from torch import Tensor

from fewshot_film.base.moments import GROUPS, channel_moments, last_axis_moments, merged_moments


def reference(h: Tensor) -> tuple[Tensor, Tensor]:
    axes = [0, *range(2, h.ndim)]
    return h.double().mean(axes), h.double().var(axes, correction=0)


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("shape", [(40, 3, 8, 8), (7, 3, 5, 5), (1, 3, 2, 2), (5, 3), (1000, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_against_float64(
    offset: float, shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    """Fewer rows than groups, a rest, none; values near 1,000 in float32."""
    h = torch.randn(shape, generator=making.seeded()) * torch.tensor([0.1, 1, 9]).view(
        3, *[1] * (len(shape) - 2)
    )
    h = h + offset
    h = h.contiguous(memory_format=layout) if h.ndim == 4 else h
    for found, exact in zip(channel_moments(h), reference(h), strict=True):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=3e-9 * max(1, offset) ** 2)


def test_a_long_sum_keeps_its_digits() -> None:
    h = torch.randn(64, 2, 64, 64, generator=making.seeded()) + 1000
    mean, var = reference(h)
    found = channel_moments(h)
    torch.testing.assert_close(found[0], mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(found[1], var, rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    h = torch.randn(2 * GROUPS + 3, 3, generator=making.seeded()).to(dtype)
    for found, exact in zip(channel_moments(h), reference(h), strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-9)


def test_merging_by_hand() -> None:
    """{0, 2} and {5}: mean 7/3, variance ((7/3)^2 + (1/3)^2 + (8/3)^2) / 3."""
    first, second = (channel_moments(torch.tensor(rows)) for rows in ([[0.0], [2.0]], [[5.0]]))
    mean, var = merged_moments(first, second, 1 / 3)
    assert mean.item() == pytest.approx(7 / 3)
    assert var.item() == pytest.approx((49 + 1 + 64) / 27)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_last_axis_against_float64(offset: float) -> None:
    h = torch.randn(4, 3, 784, generator=making.seeded()) + offset
    mean, var = last_axis_moments(h)
    torch.testing.assert_close(mean.double(), h.double().mean(2), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(var.double(), h.double().var(2, correction=0), rtol=1e-5, atol=0)


def test_gradients_of_the_last_axis() -> None:
    h = torch.randn(2, 3, 5, dtype=torch.float64, generator=making.seeded(), requires_grad=True)
    assert torch.autograd.gradcheck(last_axis_moments, h)
    assert torch.autograd.gradgradcheck(last_axis_moments, h)


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    h = torch.randn(64, 8, 16, 16, generator=making.seeded()).cuda() + 100
    for found, exact in zip(channel_moments(h), reference(h), strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=0)
