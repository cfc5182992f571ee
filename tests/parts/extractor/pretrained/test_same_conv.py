import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.parts.extractor.pretrained.same_conv import SameConv2d, same_padding


def by_definition(h: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Output o is the sum over windows that begin at o * stride - before; zeros stand outside.

    `before` is half of what ceil(size / stride) windows reach beyond the map, rounded down.
    """
    kernel, size = weight.shape[-1], h.shape[-1]
    outputs = -(-size // stride)
    beyond = max((outputs - 1) * stride + kernel - size, 0)
    first = -(beyond // 2)
    out = torch.zeros(outputs, outputs, dtype=h.dtype)
    for row in range(outputs):
        for column in range(outputs):
            for i in range(kernel):
                for j in range(kernel):
                    y, x = first + row * stride + i, first + column * stride + j
                    if 0 <= y < size and 0 <= x < size:
                        out[row, column] += h[y, x] * weight[i, j]
    return out


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_it_is_tensorflows_definition(
    size: int, kernel: int, stride: int, rng: torch.Generator
) -> None:
    conv = SameConv2d(1, 1, kernel, stride, bias=False).double()
    h = torch.randn(size, size, generator=rng, dtype=torch.float64)
    expected = by_definition(h, conv.weight[0, 0].detach(), stride)
    torch.testing.assert_close(conv(h[None, None])[0, 0], expected)


def test_the_odd_pixel_goes_after() -> None:
    assert same_padding(6, kernel=3, stride=2) == (0, 1)
    assert same_padding(7, kernel=3, stride=2) == (1, 1)
    assert same_padding(8, kernel=5, stride=2) == (1, 2)
    assert same_padding(8, kernel=1, stride=2) == (0, 0)


def test_height_and_width_are_padded_each_on_its_own(rng: torch.Generator) -> None:
    conv, h = SameConv2d(2, 3, 3, 2), torch.randn(1, 2, 7, 10, generator=rng)
    expected = F.conv2d(F.pad(h, (0, 1, 1, 1)), conv.weight, conv.bias, stride=2)
    torch.testing.assert_close(conv(h), expected)
