"""The norms of a network that others wrote, as sites keep them."""

from collections.abc import Callable

import pytest
import torch
from laws import networks
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.norms import Norm, OwnNorm, is_norm, norm_of
from fewshot_film.parts.normalization import BatchNorm

MAP, CHANNELS_LAST, TOKENS, ROWS = (3, 6, 4, 5), (3, 4, 5, 6), (3, 7, 6), (3, 6)


def looked_at(module: nn.Module, *shape: int) -> Norm:
    return norm_of("norm", module, [torch.zeros(shape)], shape[0])


class CalledNorm(nn.Module):
    """One that only its name tells, as torchvision's FrozenBatchNorm2d."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.weight, Tensor)
        assert isinstance(self.bias, Tensor)
        return F.normalize(x, dim=1) * self.weight[:, None, None] + self.bias[:, None, None]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.BatchNorm2d(6), True),
        (nn.BatchNorm1d(6, affine=False), True),
        (nn.SyncBatchNorm(6), True),
        (nn.InstanceNorm2d(6), True),
        (nn.GroupNorm(2, 6), True),
        (nn.LayerNorm(6), True),
        (nn.LayerNorm((6, 4, 4), elementwise_affine=False), True),
        (nn.RMSNorm(6), True),
        (networks.LayerNorm2d(6), True),
        (networks.BatchNormAct2d(6), True),
        (CalledNorm(), True),
        (nn.LocalResponseNorm(2), False),
        (nn.Conv2d(1, 6, 3), False),
        (nn.PReLU(6), False),
        (nn.Linear(6, 6), False),
        (nn.Sequential(nn.BatchNorm2d(6)), False),
    ],
)
def test_which_modules_are_norms(module: nn.Module, expected: bool) -> None:
    assert is_norm(module) == expected


def test_torch_has_rms_norm_since_the_oldest_version_that_is_supported() -> None:
    """2.4 brought it; norms.py names it without asking."""
    assert nn.RMSNorm(6)(torch.ones(2, 6)).shape == (2, 6)


@pytest.mark.parametrize(
    ("module", "shape", "axis"),
    [
        (nn.BatchNorm2d(6), MAP, 1),
        (nn.BatchNorm2d(6, affine=False), MAP, 1),
        (nn.BatchNorm1d(6), ROWS, 1),
        (nn.BatchNorm1d(6), (3, 6, 7), 1),
        (nn.GroupNorm(3, 6), MAP, 1),
        (nn.GroupNorm(3, 6, affine=False), MAP, 1),
        (nn.InstanceNorm2d(6), MAP, 1),
        (nn.InstanceNorm2d(6, affine=True), MAP, 1),
        (nn.LayerNorm(6), CHANNELS_LAST, 3),
        (nn.LayerNorm(6, elementwise_affine=False), CHANNELS_LAST, 3),
        (nn.LayerNorm(6), TOKENS, 2),
        (nn.LayerNorm(6, bias=False), TOKENS, 2),
        (nn.LayerNorm(6), ROWS, 1),
        (nn.RMSNorm(6), TOKENS, 2),
        (nn.RMSNorm(6, elementwise_affine=False), CHANNELS_LAST, 3),
        (networks.LayerNorm2d(6), MAP, 1),
        (networks.LayerNorm2d(6, elementwise_affine=False), MAP, 1),
        (CalledNorm(), MAP, 1),
        (nn.LayerNorm((6, 4, 5)), MAP, 1),
        (nn.LayerNorm((6, 4, 5), elementwise_affine=False), MAP, 1),
        (nn.LayerNorm((7, 6)), TOKENS, 2),
        # one place, or as many of them as channels
        (nn.LayerNorm(6), (3, 1, 1, 6), 3),
        (networks.LayerNorm2d(6), (3, 6, 1, 1), 1),
        (nn.LayerNorm(6), (3, 1, 6), 2),
        (nn.LayerNorm(6), (3, 6, 6), 2),
        (nn.LayerNorm(6), (3, 6, 6, 6), 3),
        (nn.BatchNorm2d(6), (3, 6, 6, 6), 1),
    ],
)
def test_where_the_channels_lie(module: nn.Module, shape: tuple[int, ...], axis: int) -> None:
    found = looked_at(module, *shape)
    assert (found.axis, found.channels) == (axis, 6)
    assert found.module is module


@pytest.mark.parametrize(
    "module", [nn.BatchNorm2d(6), nn.BatchNorm2d(6, affine=False), CalledNorm(), nn.GroupNorm(3, 6)]
)
def test_a_norm_is_left_as_it_was(module: nn.Module) -> None:
    module.train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    looked_at(module, *MAP)
    after = module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert module.training
    assert all(p.grad is None and p.requires_grad for p in module.parameters())


def test_channels_that_are_dead_lie_somewhere_all_the_same() -> None:
    """A batch norm gives zeros for those of a channel whose mean is zero, whatever its weight."""
    norm = nn.BatchNorm2d(6)
    nn.init.zeros_(norm.weight)
    assert looked_at(norm, *MAP).axis == 1


def test_batch_norms_can_be_given_moments() -> None:
    for batch_norm in (nn.BatchNorm2d(6), networks.BatchNormAct2d(6, nn.ReLU)):
        assert isinstance(looked_at(batch_norm, *MAP).kept(6), BatchNorm)
    for other in (nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, track_running_stats=True)):
        assert isinstance(looked_at(other, *MAP).kept(6), OwnNorm)


class LastBatchNorm(nn.BatchNorm1d):
    """A batch norm of tokens, whose channels are last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def test_a_batch_norm_that_moves_its_channels_is_kept_as_it_is() -> None:
    module = LastBatchNorm(6).eval()
    found = looked_at(module, *TOKENS)
    kept, tokens = found.kept(6), torch.randn(TOKENS)
    assert isinstance(kept, OwnNorm)
    out = kept(tokens.transpose(1, 2).unsqueeze(0), {})[0].transpose(1, 2)
    torch.testing.assert_close(out, module(tokens))


# --- what a norm's module holds behind it


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU, networks.relu_in_place, nn.GELU])
def test_what_follows_the_norm_is_taken_out(act: Callable[[], nn.Module]) -> None:
    module = networks.BatchNormAct2d(6, act, rate=0.3).eval()
    h, plain = torch.randn(MAP), nn.BatchNorm2d(6).eval()
    whole = module(h)
    found = looked_at(module, *MAP)
    torch.testing.assert_close(found.module(h), plain(h))
    torch.testing.assert_close(found.rest(found.module(h)), whole)
    assert [type(m) for m in found.rest.children()] == [nn.Dropout, type(act())]


class ActsFirst(nn.Module):
    """EvoNorm: an activation by the same name, before the norm."""

    class EvoNorm(CalledNorm):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.SiLU()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.act(x))


def test_what_comes_before_the_norm_stays() -> None:
    module, h = ActsFirst.EvoNorm(), torch.randn(MAP)
    whole = module(h)
    found = looked_at(module, *MAP)
    assert isinstance(found.rest, nn.Identity)
    assert torch.equal(found.module(h), whole)


class GlobalResponseNorm(CalledNorm):
    """ConvNeXt-V2's: it adds to what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Rectified(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (GlobalResponseNorm(), MAP),
        (Rectified(6), TOKENS),
        (Rectified(6, elementwise_affine=False), TOKENS),
        (Rectified(6, bias=False), TOKENS),
    ],
)
def test_what_does_more_than_its_weight_and_bias(module: nn.Module, shape: tuple[int, ...]) -> None:
    name = type(module).__name__
    with pytest.raises(UsageError, match=f"^the norm 'norm', a {name}, does more after its weight"):
        looked_at(module, *shape)


@pytest.mark.parametrize(
    ("module", "shape"), [(nn.LayerNorm((4, 5)), MAP), (nn.LayerNorm((5, 6)), CHANNELS_LAST)]
)
def test_a_norm_whose_weight_is_of_no_channel(module: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"^the norm 'norm', a LayerNorm, has no axis of channels"):
        looked_at(module, *shape)


@pytest.mark.parametrize(
    ("rows", "said"), [([3, 3], "3 and 3"), ([], "no"), ([12], "12"), ([1, 2], "1 and 2")]
)
def test_a_norm_that_is_not_passed_once_by_every_image(rows: list[int], said: str) -> None:
    inputs = [torch.zeros(n, 6) for n in rows]
    message = f"^the norm 'norm' was given {said} rows for 3 images; a site is passed once, with a"
    with pytest.raises(UsageError, match=message):
        norm_of("norm", nn.BatchNorm1d(6), inputs, 3)


# --- kept at a site


@pytest.mark.parametrize(
    ("module", "shape", "axis"),
    [
        (nn.GroupNorm(3, 6), MAP, 1),
        (nn.LayerNorm(6), CHANNELS_LAST, 3),
        (nn.RMSNorm(6), TOKENS, 2),
        (networks.LayerNorm2d(6), MAP, 1),
    ],
)
def test_an_own_norm_is_the_module_under_a_task_axis(
    module: nn.Module, shape: tuple[int, ...], axis: int
) -> None:
    h = torch.randn(2, *shape)
    found = OwnNorm(module, axis)(h.movedim(axis + 1, 2), {}).movedim(2, axis + 1)
    for t in range(2):
        assert torch.equal(found[t], module(h[t]))
