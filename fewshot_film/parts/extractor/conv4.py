"""Conv-4: four blocks (Vinyals et al. 2016; Snell et al. 2017)."""

from __future__ import annotations

from typing import Annotated, cast, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.memory import channels_last
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.parts.extractor.base import (
    ConditioningFactory,
    Extractor,
    NormalizationFactory,
    Site,
    Visit,
)
from fewshot_film.parts.normalization import BatchNorm


class ConvBlock(nn.Module):
    """conv 3x3 -> normalization -> conditioning -> max-pool 2x2 -> ReLU.

    Pooling before the ReLU gives the same values as after it, since ReLU is monotone, on a
    quarter of the activations.
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory,
    ) -> None:
        super().__init__()
        self.name = name
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.site = Site(outputs, conditioning, normalization)

    def forward(
        self, h: Float[Tensor, "image inputs height width"], at: Visit
    ) -> Float[Tensor, "image outputs half_height half_width"]:
        return F.relu(F.max_pool2d(at(self.name, self.site, self.conv(h)), 2))


@final
class Conv4(Extractor):
    """images -> width * (size // 16)^2 features, with one site a block."""

    def __init__(
        self,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory = BatchNorm,
        channels: int = 1,
        *,
        width: Annotated[int, AtLeast(1)] = 64,
        pixel_scale: Annotated[float, Above(0)] = 1.0,
    ) -> None:
        super().__init__(channels=channels, smallest=16, pixel_scale=pixel_scale)
        inputs = (channels, width, width, width)
        blocks = nn.ModuleList(
            ConvBlock(f"block{n}", i, width, conditioning, normalization)
            for n, i in enumerate(inputs, 1)
        )
        self.blocks = cast("list[ConvBlock]", blocks)
        channels_last(self)

    def sites(self) -> dict[str, Site]:
        return {block.name: block.site for block in self.blocks}

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        h = images
        for block in self.blocks:
            h = block(h, at)
        return h.flatten(1)
