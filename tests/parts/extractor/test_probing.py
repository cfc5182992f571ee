"""What one pass shows of a module."""

import making
import pytest
import torch
from laws import networks
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.probing import averaged, laid_out, probed

IMAGES = making.pictures(3)


def test_norms_come_in_the_order_of_the_data_flow() -> None:
    """Not in that of their definition."""

    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.second, self.first = nn.BatchNorm2d(1), nn.GroupNorm(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.second(self.first(x)).flatten(1)
            return out

    probe = probed(Backwards(), IMAGES)
    assert list(probe.norms) == ["first", "second"]
    assert torch.equal(probe.norms["first"][0], IMAGES)


def test_what_each_module_gave() -> None:
    module = networks.module("batch-norms")
    probe = probed(module, IMAGES)
    assert probe.images == 3
    assert probe.maps["layer1"].shape == (3, 6, 16, 16)
    assert probe.maps[""].shape == (3, 12)
    assert torch.equal(probe.maps[""].mean, module(IMAGES))
    assert list(probe.maps)[-1] == ""


def test_a_map_is_seen_before_an_activation_in_place_changes_it() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    seen = probed(module, IMAGES).maps["1"].mean
    torch.testing.assert_close(seen, module[:2](IMAGES).mean((2, 3)))


def test_it_leaves_no_trace() -> None:
    """Neither a hook, nor a mode, nor statistics, nor the state of the random generator."""
    module = networks.module("batch-norms").train()
    module.layer1.eval()  # type: ignore[union-attr]
    modes = [m.training for m in module.modules()]
    before = {key: value.clone() for key, value in module.state_dict().items()}
    state = torch.get_rng_state()
    probed(module, IMAGES)
    assert [m.training for m in module.modules()] == modes
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())
    assert not any(m._forward_hooks for m in module.modules())
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(UsageError):
        probed(module, making.pictures(3, channels=2))
    assert not any(m._forward_hooks for m in module.modules())
    assert [m.training for m in module.modules()] == modes


def test_maps_and_tokens_are_averaged_over_positions() -> None:
    tokens, image_map = torch.rand(2, 5, 3), torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(averaged(tokens), tokens.sum(1) / 5)
    torch.testing.assert_close(averaged(image_map), image_map.sum((2, 3)) / 20)
    assert torch.equal(averaged(tokens[:, 0]), tokens[:, 0])


def test_images_are_laid_out_as_they_are_taken() -> None:
    images = making.pictures(2, channels=3)
    for channels_last, layout in ((True, torch.channels_last), (False, torch.contiguous_format)):
        found = laid_out(images, channels_last)
        assert found.is_contiguous(memory_format=layout)
        assert torch.equal(found, images)


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x + torch.rand_like(x)).flatten(1)


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)).flatten(1)


class Squeezed(nn.Module):
    """One image loses its row."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).squeeze()


@pytest.mark.parametrize("module", [Noisy, Centred, Squeezed])
def test_an_image_s_features_depend_on_that_image_alone(module: type[nn.Module]) -> None:
    message = f"^{module.__name__} gives an image other features beside other images, or at anothe"
    with pytest.raises(UsageError, match=message):
        probed(module(), making.pictures(3, channels=2))


def test_what_it_cannot_take_is_told_in_one_line() -> None:
    class Refusing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError(f"no {x.shape[1]}\nand more")

    message = (
        r"^Refusing does not take images of shape \(1, 16, 16\) \(no 1\); say by `preprocessing"
    )
    with pytest.raises(UsageError, match=message) as raised:
        probed(Refusing(), IMAGES)
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("output", [None, (IMAGES,), IMAGES[:2], IMAGES[:, 0, 0, 0], IMAGES.int()])
def test_what_is_no_row_for_each_image(output: object) -> None:
    class Giving(nn.Module):
        def forward(self, x: Tensor) -> object:
            del x
            return output

    with pytest.raises(
        UsageError, match=r"^Giving does not give one tensor with a row of features"
    ):
        probed(Giving(), IMAGES)
