"""TensorFlow's "SAME" padding, which follows the size of the map, for convolutions with strides."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) for ceil(size / stride) outputs; the odd pixel goes after (TensorFlow)."""
    outputs = (size + stride - 1) // stride
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@final
class SameConv2d(nn.Conv2d):
    """size -> ceil(size / stride): a convolution padded as TensorFlow's "SAME", at every size."""

    def forward(
        self, h: Float[Tensor, "image inputs height width"]
    ) -> Float[Tensor, "image outputs out_height out_width"]:
        height, width = h.shape[2:]
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        around = (*same_padding(width, kernel, stride), *same_padding(height, kernel, stride))
        return super().forward(F.pad(h, around))
