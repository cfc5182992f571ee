import pytest
import torch
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.parts.extractor.pretrained.efficientnet_lite import EfficientNetLite, to_eights


def shape_at(net: nn.Module, module: str, size: int) -> tuple[int, ...]:
    """Of what the module of that name gives for one image."""
    seen: list[Tensor] = []
    hook = net.get_submodule(module).register_forward_hook(lambda _m, _i, out: seen.append(out))
    with evaluating(net):
        net(torch.zeros(1, 3, size, size))
    hook.remove()
    return tuple(seen[0].shape[1:])


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (64, 50), (97, 97)])
def test_images_of_every_size_give_1280_features(size: tuple[int, int]) -> None:
    net = EfficientNetLite()
    with evaluating(net):
        assert net(torch.zeros(2, 3, *size)).shape == (2, 1280)


def test_every_stage_ends_at_a_module() -> None:
    """Their channels are the published ones; the maps get smaller by the strides, rounded up."""
    net = EfficientNetLite()
    shapes = {stage: shape_at(net, module, 65) for stage, module in net.stages().items()}
    assert shapes == {
        "stage1": (16, 33, 33),
        "stage2": (24, 17, 17),
        "stage3": (40, 9, 9),
        "stage4": (80, 5, 5),
        "stage5": (112, 5, 5),
        "stage6": (192, 3, 3),
        "stage7": (320, 3, 3),
        "head": (1280, 3, 3),
    }


def test_the_head_is_read_after_its_relu6(rng: torch.Generator) -> None:
    """So the mean of its map is the network's output."""
    net, seen = EfficientNetLite(), list[Tensor]()
    net.head.register_forward_hook(lambda _m, _i, out: seen.append(out))
    with evaluating(net):
        out = net(torch.randn(1, 3, 32, 32, generator=rng))
    assert seen[0].min() >= 0
    torch.testing.assert_close(seen[0].mean(dim=(2, 3)), out)


def test_norms_have_readable_names() -> None:
    net = EfficientNetLite()
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms[:6] == [
        *("stem.norm", "blocks.0.depthwise.norm", "blocks.0.project.norm"),
        *("blocks.1.expand.norm", "blocks.1.depthwise.norm", "blocks.1.project.norm"),
    ]
    assert norms[-1] == "head.norm"
    assert len(norms) == 49


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1.0, 8), (17.6, 16), (26.4, 24), (211.2, 208), (11.0, 16)]
)
def test_widths_are_multiples_of_eight(channels: float, rounded: int) -> None:
    assert to_eights(channels) == rounded
