"""Conv-4: the four-block network of Vinyals et al. (2016) and Snell et al. (2017)."""

from __future__ import annotations

from typing import cast, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.conditioning import SiteParams, TaskParams
from fewshot_film.extractor.base import ConditioningFactory, Extractor, Site, site_params
from fewshot_film.memory import channels_last


class ConvBlock(nn.Module):
    """conv 3x3 -> batch norm -> conditioning -> max-pool 2x2 -> ReLU.

    Pooling before the ReLU gives the same values as after it, since ReLU is monotone, on a
    quarter of the activations.
    """

    def __init__(self, inputs: int, outputs: int, conditioning: ConditioningFactory) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.site = Site(outputs, conditioning)

    def forward(
        self, h: Float[Tensor, "image inputs height width"], params: SiteParams | None
    ) -> Float[Tensor, "image outputs half_height half_width"]:
        return F.relu(F.max_pool2d(self.site(self.conv(h), params), 2))


@final
class Conv4(Extractor):
    """images -> width * (size // 16)^2 features, with one site after each batch norm."""

    def __init__(
        self,
        conditioning: ConditioningFactory,
        *,
        channels: int = 1,
        width: int = 64,
        pixel_scale: float = 1.0,
    ) -> None:
        super().__init__(pixel_scale=pixel_scale)
        inputs = (channels, width, width, width)
        blocks = nn.ModuleList(ConvBlock(i, width, conditioning) for i in inputs)
        self.blocks = cast("list[ConvBlock]", blocks)
        channels_last(self)

    def sites(self) -> dict[str, Site]:
        return {f"block{i}": block.site for i, block in enumerate(self.blocks, 1)}

    def embed(
        self, images: Float[Tensor, "image channel height width"], params: TaskParams | None
    ) -> Float[Tensor, "image feature"]:
        h = images
        for i, block in enumerate(self.blocks, 1):
            h = block(h, site_params(params, f"block{i}"))
        return h.flatten(1)
