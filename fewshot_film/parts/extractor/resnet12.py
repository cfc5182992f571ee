"""ResNet-12: TADAM's (Oreshkin et al. 2018) and MetaOptNet's wide one (Lee et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeAlias, cast, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.memory import channels_last
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.base import (
    ConditioningFactory,
    Extractor,
    NormalizationFactory,
    Site,
    Visit,
)
from fewshot_film.parts.extractor.dropblock import DropBlock
from fewshot_film.parts.normalization import BatchNorm

BLOCKS = 4

Activation: TypeAlias = Callable[[Tensor], Tensor]
Pooling: TypeAlias = Callable[[Tensor], Tensor]
"""(image, channel, height, width) -> (image, feature)."""


def global_average(
    h: Float[Tensor, "image channel height width"],
) -> Float[Tensor, "image channel"]:
    """The mean of each channel: as many features for images of every size."""
    return h.mean(dim=(2, 3))


def flattened(h: Float[Tensor, "image channel height width"]) -> Float[Tensor, "image feature"]:
    """Every value of the map."""
    return h.flatten(1)


def leaky_relu(h: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """max(h, h / 10)."""
    return F.leaky_relu(h, 0.1)


class ResidualBlock(nn.Module):
    """Three conv 3x3 -> normalization -> conditioning, beside a 1x1 shortcut; activation; `end`.

    The third site stands before the residual sum; the shortcut's is never conditioned. A max-pool
    comes after the activation, since swish is not monotone.
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory,
        activation: Activation,
        end: nn.Module,
    ) -> None:
        super().__init__()
        self.name = name
        self.activation, self.end = activation, end
        widths = (inputs, outputs, outputs)
        self.convs = nn.ModuleList(nn.Conv2d(i, outputs, 3, padding=1, bias=False) for i in widths)
        sites = nn.ModuleList(Site(outputs, conditioning, normalization) for _ in widths)
        self.main_sites = cast("list[Site]", sites)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.shortcut_site = Site(outputs, normalization=normalization)

    def sites(self) -> dict[str, Site]:
        main = {f"{self.name}_conv{i}": site for i, site in enumerate(self.main_sites, 1)}
        return {**main, f"{self.name}_shortcut": self.shortcut_site}

    def forward(
        self, images: Float[Tensor, "image inputs height width"], at: Visit
    ) -> Float[Tensor, "image outputs out_height out_width"]:
        h = images
        for i, (conv, site) in enumerate(zip(self.convs, self.main_sites, strict=True), 1):
            h = at(f"{self.name}_conv{i}", site, conv(h if i == 1 else self.activation(h)))
        short = at(f"{self.name}_shortcut", self.shortcut_site, self.shortcut(images))
        return self.end(self.activation(h + short))


@final
class ResNet12(Extractor):
    """images -> pooling of four residual blocks; TADAM's by default, with 8 * width features.

    The blocks are `growth` times `width` wide. The first `max_pools` of them end in a max-pool
    2x2: all four in TADAM's paper, three in its code. `drops` follow, one for each block or none.
    """

    def __init__(
        self,
        conditioning: ConditioningFactory,
        normalization: NormalizationFactory = BatchNorm,
        channels: int = 3,
        *,
        width: int = 64,
        max_pools: int = BLOCKS,
        pixel_scale: float = 1.0,
        growth: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
        activation: Activation = F.silu,
        drops: Sequence[nn.Module] = (),
        pooling: Pooling = global_average,
    ) -> None:
        super().__init__(channels=channels, smallest=2**max_pools, pixel_scale=pixel_scale)
        widths = (channels, *(round(factor * width) for factor in growth))
        blocks = nn.ModuleList(
            ResidualBlock(
                f"block{i}", widths[i - 1], widths[i], conditioning, normalization, activation, end
            )
            for i, end in enumerate(_ends(max_pools, drops), 1)
        )
        self.blocks, self.pooling = cast("list[ResidualBlock]", blocks), pooling
        channels_last(self)

    def sites(self) -> dict[str, Site]:
        return {name: site for block in self.blocks for name, site in block.sites().items()}

    def embed(
        self, images: Float[Tensor, "image channel height width"], at: Visit
    ) -> Float[Tensor, "image feature"]:
        h = images
        for block in self.blocks:
            h = block(h, at)
        return self.pooling(h)


POOLINGS = {"average": global_average, "flat": flattened}

PoolingName: TypeAlias = Literal["average", "flat"]
"""How the last maps become features: by the mean of each channel, or value by value."""


def tadam_resnet12(
    conditioning: ConditioningFactory,
    normalization: NormalizationFactory = BatchNorm,
    channels: int = 3,
    *,
    width: Annotated[int, AtLeast(1)] = 64,
    max_pools: Annotated[int, AtLeast(1)] = BLOCKS,
    pooling: PoolingName = "average",
    pixel_scale: Annotated[float, Above(0)] = 1.0,
) -> ResNet12:
    """images -> pooling of four blocks w, 2w, 4w, 8w wide, with swish (Oreshkin et al. 2018)."""
    return ResNet12(
        conditioning,
        normalization,
        channels,
        width=width,
        max_pools=max_pools,
        pooling=POOLINGS[pooling],
        pixel_scale=pixel_scale,
    )


def wide_resnet12(
    conditioning: ConditioningFactory,
    normalization: NormalizationFactory = BatchNorm,
    channels: int = 3,
    size: int = 84,
    *,
    width: Annotated[int, AtLeast(1)] = 64,
    drop: Annotated[float, AtLeast(0)] = 0.1,
    drop_side: Annotated[int | None, AtLeast(1)] = None,
    pooling: PoolingName = "flat",
    pixel_scale: Annotated[float, Above(0)] = 1.0,
) -> ResNet12:
    """images -> pooling of four blocks w, 2.5w, 5w, 10w wide (MetaOptNet, Lee et al. 2019).

    It has leaky ReLUs, dropout after the first two blocks, and DropBlock, whose rate rises over
    40,000 batches, after the others. Without `drop_side`, its squares have the published sides: 2
    on images of up to 32 pixels, 5 on larger ones. `pooling` is "flat" in MetaOptNet, "average" in
    most that build on it.
    """
    side = drop_side or (2 if size <= 32 else 5)
    return ResNet12(
        conditioning,
        normalization,
        channels,
        width=width,
        pixel_scale=pixel_scale,
        growth=(1.0, 2.5, 5.0, 10.0),
        activation=leaky_relu,
        drops=(
            DropBlock(drop, 1, ramp_steps=1),
            DropBlock(drop, 1, ramp_steps=1),
            DropBlock(drop, side),
            DropBlock(drop, side),
        ),
        pooling=POOLINGS[pooling],
    )


def _ends(max_pools: int, drops: Sequence[nn.Module]) -> list[nn.Sequential]:
    """What each block ends in: its max-pool, then its drop, or nothing."""
    if max_pools not in range(1, BLOCKS + 1):
        raise UsageError(
            f"`max_pools` is {max_pools}; ResNet-12 has {BLOCKS} blocks, pass 1 to {BLOCKS}"
        )
    ends = [nn.Sequential() for _ in range(BLOCKS)]
    for end in ends[:max_pools]:
        end.append(nn.MaxPool2d(2))
    for end, drop in zip(ends, drops, strict=False):
        end.append(drop)
    return ends
