"""ResNet-12 as in TADAM (Oreshkin et al. 2018, section 4 and appendix)."""

from __future__ import annotations

from typing import cast, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.conditioning import TaskParams
from fewshot_film.extractor.base import ConditioningFactory, Extractor, Site, site_params
from fewshot_film.memory import channels_last


class ResidualBlock(nn.Module):
    """Three conv 3x3 -> batch norm -> conditioning, beside a 1x1 shortcut; swish; max-pool 2x2.

    The third site stands before the residual sum; the shortcut has batch norm but no site.
    """

    def __init__(
        self, name: str, inputs: int, outputs: int, conditioning: ConditioningFactory
    ) -> None:
        super().__init__()
        self.names = tuple(f"{name}_conv{i}" for i in (1, 2, 3))
        widths = (inputs, outputs, outputs)
        self.convs = nn.ModuleList(nn.Conv2d(i, outputs, 3, padding=1, bias=False) for i in widths)
        sites = nn.ModuleList(Site(outputs, conditioning) for _ in widths)
        self.sites = cast("list[Site]", sites)
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(
        self, images: Float[Tensor, "image inputs height width"], params: TaskParams | None
    ) -> Float[Tensor, "image outputs half_height half_width"]:
        h = images
        for i, (name, conv, site) in enumerate(
            zip(self.names, self.convs, self.sites, strict=True)
        ):
            h = site(conv(F.silu(h) if i else h), site_params(params, name))
        return F.max_pool2d(F.silu(h + self.shortcut(images)), 2)


@final
class ResNet12(Extractor):
    """images -> 8 * width features: four blocks, each twice as wide, then a global average.

    The paper pools at the end of all four blocks; its code leaves the last pool out.
    """

    def __init__(
        self, conditioning: ConditioningFactory, *, channels: int = 3, width: int = 64
    ) -> None:
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width, 8 * width)
        blocks = nn.ModuleList(
            ResidualBlock(f"block{i}", widths[i - 1], widths[i], conditioning) for i in range(1, 5)
        )
        self.blocks = cast("list[ResidualBlock]", blocks)
        channels_last(self)

    def sites(self) -> dict[str, Site]:
        return {
            name: site
            for block in self.blocks
            for name, site in zip(block.names, block.sites, strict=True)
        }

    def embed(
        self, images: Float[Tensor, "image channel height width"], params: TaskParams | None
    ) -> Float[Tensor, "image feature"]:
        h = images
        for block in self.blocks:
            h = block(h, params)
        return h.mean(dim=(2, 3))
