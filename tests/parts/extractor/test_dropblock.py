import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor import DropBlock


def dropblock(rate: float = 0.1, size: int = 5) -> DropBlock:
    """One whose ramp is over."""
    return DropBlock(rate, size, ramp_steps=1)


def seeded(drop: DropBlock, h: Tensor, seed: int = 0) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        out: Tensor = drop(h)
    return out


def test_evaluation_is_the_identity_and_counts_nothing() -> None:
    drop, h = dropblock().eval(), torch.randn(2, 3, 10, 10)
    assert drop(h) is h
    assert drop.batches == 0


@pytest.mark.parametrize("height", [1, 4, 5, 10])
@pytest.mark.parametrize("width", [3, 12])
@pytest.mark.parametrize("size", [1, 5])
def test_the_share_of_zeros_is_near_the_rate(size: int, height: int, width: int) -> None:
    """Squares may overlap: by no more than a share of 0.1 of what they cover, so 1% of the map."""
    out = seeded(dropblock(0.1, size), torch.ones(200, 50, height, width))
    zeros = (out == 0).double().mean().item()
    assert 0.088 < zeros < 0.105
    if size == 1:
        assert zeros == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_zeros_are_unions_of_squares(size: int) -> None:
    """An opening by the square leaves them as they are."""
    zeros = (seeded(dropblock(0.2, size), torch.ones(20, 10, 11, 8)) == 0).float()
    corners = -F.max_pool2d(-zeros, size, stride=1)
    assert corners.any()
    assert not corners.all()
    around = F.pad(corners, [size - 1] * 4)
    assert torch.equal(F.max_pool2d(around, size, stride=1), zeros)


def test_a_map_smaller_than_the_square_loses_the_largest_that_fits() -> None:
    zeros = seeded(dropblock(0.3), torch.ones(50, 10, 4, 4)) == 0
    assert torch.equal(zeros.flatten(2).all(2), zeros.flatten(2).any(2))
    assert zeros.any()
    assert not zeros.all()


def test_every_place_is_dropped_somewhere() -> None:
    zeros = seeded(dropblock(), torch.ones(1000, 5, 7, 9)) == 0
    assert zeros.any(0).all()


@pytest.mark.parametrize("size", [1, 5])
def test_what_is_kept_is_rescaled_to_the_mean_of_ones(size: int) -> None:
    out = seeded(dropblock(0.4, size), torch.ones(8, 3, 10, 10, dtype=torch.float64))
    assert len(out.unique()) == 2
    assert out.mean().item() == pytest.approx(1, rel=1e-6)


def test_rescaling_keeps_the_mean_of_any_map() -> None:
    h = torch.randn(1, 16, 10, 10) + 1
    out = seeded(dropblock(), h.expand(4000, -1, -1, -1))
    assert out.mean().item() == pytest.approx(h.mean().item(), abs=0.02)


def test_a_batch_that_loses_everything_is_zero() -> None:
    drop = dropblock(0.99)
    outs = [seeded(drop, torch.ones(1, 1, 2, 2), seed) for seed in range(20)]
    assert all(out.isfinite().all() for out in outs)
    assert any(not out.any() for out in outs)


def test_the_rate_rises_linearly_and_stays() -> None:
    drop, seen = DropBlock(0.2, 1, ramp_steps=4), []
    for _ in range(6):
        drop(torch.ones(1, 1, 1, 1))
        seen.append(drop.share().item())
    assert seen == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2, 0.2])
    assert DropBlock(0.1, 5).ramp_steps == 40_000


def test_the_first_batches_of_a_long_ramp_lose_almost_nothing() -> None:
    out = seeded(DropBlock(0.1, 5), torch.ones(100, 64, 10, 10, dtype=torch.bfloat16))
    assert (out == 0).float().mean() < 1e-4


def test_no_rate_is_the_identity() -> None:
    h = torch.randn(2, 3, 6, 6)
    assert torch.equal(dropblock(0.0)(h), h)


def test_images_and_channels_are_independent() -> None:
    """Two images, or two channels, lose a place together as often as chance has it."""
    zeros = (seeded(dropblock(0.3), torch.ones(4000, 2, 10, 10)) == 0).double()
    chance = zeros.mean((0, 1)).square().mean().item()
    for one, other in ((zeros[::2], zeros[1::2]), (zeros[:, 0], zeros[:, 1])):
        assert (one * other).mean().item() == pytest.approx(chance, abs=0.005)


def test_the_count_is_saved_and_a_resumed_module_draws_the_same() -> None:
    drop, h = DropBlock(0.5, 2, ramp_steps=8), torch.randn(4, 3, 8, 8)
    for _ in range(5):
        drop(h)
    resumed = DropBlock(0.5, 2, ramp_steps=8)
    resumed.load_state_dict(copy.deepcopy(drop.state_dict()))
    assert resumed.batches == 5
    expected = seeded(drop, h, seed=6)
    assert torch.equal(seeded(resumed, h, seed=6), expected)
    assert not torch.equal(seeded(resumed, h, seed=7), expected)


def test_gradients_pass_where_values_do() -> None:
    h = torch.randn(4, 3, 8, 8, requires_grad=True)
    out = seeded(dropblock(0.4, 3), h)
    (gradient,) = torch.autograd.grad(out.sum(), h)
    assert torch.equal(gradient == 0, out == 0)
    assert len(gradient.unique()) == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_and_layout_are_kept(dtype: torch.dtype) -> None:
    h = torch.randn(4, 3, 8, 8).to(dtype, memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = dropblock()(h)
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_bad_rate_is_named(rate: float) -> None:
    with pytest.raises(UsageError, match=f"drop rate is {rate}"):
        DropBlock(rate, 5)


@pytest.mark.gpu
def test_dropblock_on_the_device() -> None:
    drop = dropblock().cuda()
    h = torch.randn(200, 50, 10, 10, device="cuda").to(memory_format=torch.channels_last)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = drop(h)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert 0.088 < (out == 0).double().mean().item() < 0.105
