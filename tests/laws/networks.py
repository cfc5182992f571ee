"""Small networks as others write them, one for each kind of norm, which the laws condition."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import making
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.parts.extractor import EXTRACTORS, ConditionedNetwork, Preprocessing, condition
from fewshot_film.parts.extractor.base import ConditioningFactory

WIDTH = 6

NormLayer: TypeAlias = Callable[[int], nn.Module]
"""channels -> a norm of maps."""


# --- norms as libraries write them


class BatchNormAct2d(nn.BatchNorm2d):
    """timm's: a batch norm whose module drops and activates, too."""

    def __init__(
        self, num_features: int, act_layer: Callable[[], nn.Module] = nn.Identity, rate: float = 0.0
    ) -> None:
        super().__init__(num_features)
        self.drop = nn.Dropout(rate)
        self.act = act_layer()

    def forward(self, x: Tensor) -> Tensor:
        counted = self.training and self.track_running_stats
        if counted and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        x = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        out: Tensor = self.act(self.drop(x))
        return out


class LayerNorm2d(nn.LayerNorm):
    """timm's and torchvision's: over the channels of a map, which it permutes."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


def relu_in_place() -> nn.Module:
    return nn.ReLU(inplace=True)


# --- networks


class Residual(nn.Module):
    """torchvision's basic blocks: activations in place, and a norm in the shortcut."""

    def __init__(self, channels: int, norm: NormLayer) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, WIDTH, 3, padding=1, bias=False)
        self.bn1, self.relu = norm(WIDTH), nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(WIDTH, WIDTH, 1, norm))
        self.layer2 = nn.Sequential(Block(WIDTH, 2 * WIDTH, 2, norm))
        self.avgpool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.avgpool(self.layer2(self.layer1(x)))
        return torch.flatten(x, 1)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, norm: NormLayer) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1, self.relu = norm(outputs), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = norm(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        found: Tensor = self.relu(out)
        return found


class Inverted(nn.Module):
    """Inverted residuals whose norms' modules hold the activations, as timm's do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(channels, WIDTH, 3, 2, padding=1, bias=False)
        self.bn1 = BatchNormAct2d(WIDTH, relu_in_place)
        self.blocks = nn.Sequential(InvertedBlock(WIDTH), InvertedBlock(WIDTH))
        self.conv_head = nn.Conv2d(WIDTH, 2 * WIDTH, 1, bias=False)
        self.bn2 = BatchNormAct2d(2 * WIDTH, nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.bn1(self.conv_stem(x)))
        h: Tensor = self.bn2(self.conv_head(x))
        return h.mean((2, 3))


class InvertedBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 2 * width
        self.conv_pw = nn.Conv2d(width, inner, 1, bias=False)
        self.bn1 = BatchNormAct2d(inner, nn.SiLU)
        self.conv_dw = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.bn2 = BatchNormAct2d(inner, relu_in_place)
        self.conv_pwl = nn.Conv2d(inner, width, 1, bias=False)
        self.bn3 = BatchNormAct2d(width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))
        out: Tensor = self.bn3(self.conv_pwl(h)) + x
        return out


class ConvNeXt(nn.Module):
    """Norms over the channels of maps and, in blocks with a layer scale, over the last axis."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, WIDTH, 4, 4), LayerNorm2d(WIDTH))
        self.block1 = ConvNeXtBlock(WIDTH)
        self.downsample = nn.Sequential(LayerNorm2d(WIDTH), nn.Conv2d(WIDTH, 2 * WIDTH, 2, 2))
        self.block2 = ConvNeXtBlock(2 * WIDTH)
        self.norm = LayerNorm2d(2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.block2(self.downsample(self.block1(self.stem(x))))
        pooled: Tensor = self.norm(h.mean((2, 3), keepdim=True))
        return pooled.flatten(1)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.gamma = nn.Parameter(0.5 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        h = self.gamma * self.fc2(F.gelu(self.fc1(h)))
        out: Tensor = h.permute(0, 3, 1, 2) + x
        return out


class Transformer(nn.Module):
    """Tokens of patches and a class token, which is given back; places are interpolated."""

    def __init__(self, channels: int, norm: NormLayer) -> None:
        super().__init__()
        width = 2 * WIDTH
        self.patch_embed = nn.Conv2d(channels, width, 4, 4)
        self.cls_token = nn.Parameter(0.5 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.5 * torch.randn(1, width, 4, 4))
        self.blocks = nn.Sequential(Attending(width, norm), Attending(width, norm))
        self.norm = norm(width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.patch_embed(x)
        h = h + F.interpolate(self.pos_embed, h.shape[2:], mode="bilinear", align_corners=True)
        tokens = h.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), tokens], dim=1)
        normed: Tensor = self.norm(self.blocks(tokens))
        return normed[:, 0]


class Attending(nn.Module):
    def __init__(self, width: int, norm: NormLayer) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(width), norm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.proj(attended)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Whole(nn.Module):
    """Norms over channels and places together, so its maps are of one size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.pool = nn.Conv2d(channels, WIDTH, 3, padding=1), nn.AdaptiveAvgPool2d(4)
        self.norm1 = nn.LayerNorm((WIDTH, 4, 4))
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.norm2 = nn.LayerNorm((WIDTH, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm1(self.pool(self.conv1(x))))
        h = F.relu(self.norm2(self.conv2(h)))
        return h.mean((2, 3))


def plain_batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, affine=False)


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(2, channels)


def instance_norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


MODULES: dict[str, Callable[[int], nn.Module]] = {
    "batch-norms": lambda channels: Residual(channels, nn.BatchNorm2d),
    "norms-with-acts": Inverted,
    "plain-batch-norms": lambda channels: Residual(channels, plain_batch_norm),
    "group-norms": lambda channels: Residual(channels, group_norm),
    "instance-norms": lambda channels: Residual(channels, instance_norm),
    "permuting-norms": ConvNeXt,
    "token-norms": lambda channels: Transformer(channels, nn.LayerNorm),
    "rms-norms": lambda channels: Transformer(channels, nn.RMSNorm),
    "whole-norms": Whole,
}
"""name -> channels of the images -> the network."""

WITH_BATCH_NORMS = ("batch-norms", "norms-with-acts", "plain-batch-norms")
LEARNING = ("norms-with-acts", "group-norms", "token-norms")
"""Those that are not frozen by default."""


def module(name: str, channels: int = 1) -> nn.Module:
    """The network as others may have left it: trained, its statistics counted."""
    made = MODULES[name](channels)
    making.lived_in(made)
    making.calibrate(made, lambda images: made(images[0].expand(-1, channels, -1, -1)))
    return made.eval()


def preprocessing(channels: int = 1) -> Preprocessing:
    """The pixels as they are."""
    return Preprocessing(mean=(0.0,) * channels, std=(1.0,) * channels, size=making.SIZE)


def plain(name: str) -> nn.Module:
    """The network, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module(name)


def conditioned(module: nn.Module, sites: str = "all", **options: Any) -> ConditionedNetwork:
    """With sites at all of its norms, for grey pictures."""
    return condition(module, sites, preprocessing=preprocessing(), **options)


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """On the scale of the largest value."""
    assert found.shape == expected.shape
    scale = float(expected.detach().abs().max())
    return float((found - expected).detach().abs().max()) / scale


def _part(name: str) -> Callable[..., ConditionedNetwork]:
    def part(
        conditioning: ConditioningFactory, channels: int, *, frozen: bool = name not in LEARNING
    ) -> ConditionedNetwork:
        return condition(
            module(name, channels),
            conditioning=conditioning,
            preprocessing=preprocessing(channels),
            frozen=frozen,
        )

    return part


NETWORKS = {name: _part(name) for name in MODULES}
"""Parts beside those of the family of extractors."""


@contextmanager
def known(parts: Sequence[str] = tuple(NETWORKS)) -> Iterator[None]:
    """The family of extractors has these parts inside."""
    EXTRACTORS.parts.update({name: NETWORKS[name] for name in parts})
    try:
        yield
    finally:
        for name in parts:
            del EXTRACTORS.parts[name]
