"""deform and weigh: the identity, hand-computed cases, directions, rows on their own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fewshot_film.data.sets.glyphs.shapes import deform, weigh


def glyphs(count: int = 4) -> Tensor:
    images = torch.zeros(count, 1, 28, 28)
    inside = torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    images[..., 8:20, 8:20] = inside
    return images


def full(value: float, count: int = 4) -> Tensor:
    return torch.full((count,), float(value))


def centre_of_ink(image: Tensor) -> tuple[float, float]:
    """(row, column), from the image's centre."""
    place = torch.arange(28.0) - 13.5
    ink = image / image.sum()
    return (ink.sum(1) @ place).item(), (ink.sum(0) @ place).item()


def test_the_neutral_deformation_is_the_identity() -> None:
    zero, shift = full(0), torch.zeros(4, 2)
    assert torch.allclose(deform(glyphs(), full(1), zero), glyphs(), atol=1e-5)
    assert torch.allclose(deform(glyphs(), full(1), zero, zero, shift), glyphs(), atol=1e-5)


def test_a_shift_of_whole_pixels_moves_the_array() -> None:
    shift = torch.tensor([[3.0, -2.0]]).expand(4, 2)  # right 3, up 2
    moved = deform(glyphs(), full(1), full(0), None, shift)
    assert torch.allclose(moved, glyphs().roll((-2, 3), dims=(2, 3)), atol=1e-5)


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 1), (180.0, 2), (-90.0, -1)])
def test_a_quarter_turn_is_rot90(degrees: float, turns: int) -> None:
    turned = deform(glyphs(), full(1), full(0), full(degrees))
    assert torch.allclose(turned, torch.rot90(glyphs(), turns, dims=(2, 3)), atol=1e-5)


def test_half_size_quarters_the_ink_about_the_centre() -> None:
    square = torch.zeros(1, 1, 28, 28)
    square[..., 8:20, 8:20] = 1
    small = deform(square, full(0.5, 1), full(0, 1))
    expected = torch.zeros(1, 1, 28, 28)
    expected[..., 11:17, 11:17] = 1
    assert torch.allclose(small, expected, atol=1e-5)


def test_a_positive_slant_leans_right() -> None:
    bar = torch.zeros(1, 1, 28, 28)
    bar[..., 4:24, 13:15] = 1
    leaning = deform(bar, full(1, 1), full(0.5, 1))[0, 0]
    _, top = centre_of_ink(leaning[4:5].expand(28, -1))
    _, bottom = centre_of_ink(leaning[23:24].expand(28, -1))
    assert (top, bottom) == pytest.approx((9.5 * 0.5, -9.5 * 0.5), abs=0.01)


def test_size_and_slant_come_before_rotation_and_shift() -> None:
    point = torch.zeros(1, 1, 28, 28)
    point[0, 0, 13:15, 15:17] = 1  # at x = 2, y = 0 from the centre
    shift = torch.tensor([[1.0, 0.0]])
    out = deform(point, full(2.0, 1), full(0.0, 1), full(90.0, 1), shift)[0, 0]
    assert centre_of_ink(out) == pytest.approx((-4.0, 1.0), abs=1e-3)


def test_outside_is_black() -> None:
    out = deform(torch.ones(1, 1, 28, 28), full(0.5, 1), full(0, 1))
    assert out[..., :6, :].max() == 0


def test_rows_do_not_touch_each_other() -> None:
    size, slant = torch.tensor([0.7, 1.0, 1.2, 0.9]), torch.tensor([0.3, -0.2, 0.0, 0.1])
    angle, shift = torch.tensor([5.0, -9.0, 0.0, 20.0]), torch.rand(4, 2)
    together = deform(glyphs(), size, slant, angle, shift)
    alone = deform(glyphs()[1:2], size[1:2], slant[1:2], angle[1:2], shift[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-6)
    weight = torch.tensor([-0.5, 0.5, 1.0, 0.0])
    assert torch.equal(weigh(glyphs(), weight)[1:2], weigh(glyphs()[1:2], weight[1:2]))


@pytest.mark.parametrize(("weight", "width"), [(1.0, 6), (0.5, 5), (0.0, 4), (-0.5, 3), (-1.0, 2)])
def test_a_weight_is_pixels_on_each_side(weight: float, width: int) -> None:
    bar = torch.zeros(1, 1, 28, 28)
    bar[..., 12:16] = 1
    heavier = weigh(bar, full(weight, 1))
    assert heavier[0, 0, 14].sum().item() == pytest.approx(width)
    assert heavier.min() >= 0
    assert heavier.max() <= 1
