"""EfficientNet-Lite: inverted residuals of ReLU6 (Tan and Le 2019; its Lite models, Liu 2020)."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil
from typing import NamedTuple, final

from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.parts.extractor.pretrained.same_conv import SameConv2d


class Stage(NamedTuple):
    """Blocks of one width, the first of which makes the map smaller by the stride."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    blocks: int


STEM, HEAD = 32, 1280
STAGES = (
    Stage(kernel=3, stride=1, expansion=1, channels=16, blocks=1),
    Stage(kernel=3, stride=2, expansion=6, channels=24, blocks=2),
    Stage(kernel=5, stride=2, expansion=6, channels=40, blocks=2),
    Stage(kernel=3, stride=2, expansion=6, channels=80, blocks=3),
    Stage(kernel=5, stride=1, expansion=6, channels=112, blocks=3),
    Stage(kernel=5, stride=2, expansion=6, channels=192, blocks=4),
    Stage(kernel=3, stride=1, expansion=6, channels=320, blocks=1),
)


def conv_norm(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """h -> norm(conv(h)); with stride 1 the padding is the same at every size."""
    if stride == 1:
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm))


def activated(layer: nn.Sequential) -> nn.Sequential:
    """h -> relu6(layer(h))."""
    layer.add_module("relu6", nn.ReLU6())
    return layer


@final
class InvertedResidual(nn.Module):
    """h -> project(depthwise(expand(h))), plus h where shapes agree (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = activated(conv_norm(inputs, inner)) if expansion > 1 else nn.Identity()
        self.depthwise = activated(conv_norm(inner, inner, kernel, stride, groups=inner))
        self.project = conv_norm(inner, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(
        self, h: Float[Tensor, "image inputs height width"]
    ) -> Float[Tensor, "image outputs out_height out_width"]:
        out: Tensor = self.project(self.depthwise(self.expand(h)))
        return out + h if self.residual else out


@final
class EfficientNetLite(nn.Module):
    """Normalized images -> 1,280 features: the head's map after ReLU6, averaged; no classifier.

    Stages are `width` times as wide and `depth` times as deep as Lite0's; the stem, the head and
    the depth of the first and last stage stay. The drops of training are left out.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.stem = activated(conv_norm(3, STEM, kernel=3, stride=2))
        self.blocks, inputs, self._last = nn.ModuleList(), STEM, list[int]()
        for stage in STAGES:
            outputs, stride = to_eights(width * stage.channels), stage.stride
            for _ in range(_repeats(stage, depth)):
                self.blocks.append(
                    InvertedResidual(inputs, outputs, stage.kernel, stride, stage.expansion)
                )
                inputs, stride = outputs, 1
            self._last.append(len(self.blocks) - 1)
        self.head = activated(conv_norm(inputs, HEAD))

    def stages(self) -> dict[str, str]:
        """stage1 ... stage7 and head -> the name of the module whose output is the stage's map."""
        ends = {f"stage{i}": f"blocks.{last}" for i, last in enumerate(self._last, 1)}
        return {**ends, "head": "head"}

    def forward(self, images: Float[Tensor, "image 3 height width"]) -> Float[Tensor, "image 1280"]:
        h = self.stem(images)
        for block in self.blocks:
            h = block(h)
        return self.head(h).mean(dim=(2, 3))


def to_eights(channels: float) -> int:
    """The nearest multiple of 8 that takes away no more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _repeats(stage: Stage, depth: float) -> int:
    """Blocks of a stage; the first and the last are never repeated."""
    return stage.blocks if stage in (STAGES[0], STAGES[-1]) else ceil(depth * stage.blocks)
