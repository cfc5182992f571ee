"""What factors and operations are drawn with, against loops and against what is known of it."""

import math

import making
import photographs
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.tasks.imaging.colour import luma, recoloured, turned_hue
from fewshot_film.tasks.imaging.grain import grain, unit
from fewshot_film.tasks.imaging.kinds import by_kind
from fewshot_film.tasks.imaging.placing import placed
from fewshot_film.tasks.imaging.sampling import grid, sampled, turned
from fewshot_film.tasks.imaging.screens import halftone, steep, waves
from fewshot_film.tasks.imaging.smoothing import blurred, pixelated

PHOTOS = photographs.taken(4)


def test_grain_is_uniform_and_independent() -> None:
    values = grain(torch.arange(40), 50, 50)
    assert 0 <= values.min() < values.max() < 1
    times = torch.histc(values, 20, 0, 1)
    assert ((times - 5000) ** 2 / 5000).sum() < 43.8
    columns = values.flatten(1)
    assert torch.corrcoef(columns).fill_diagonal_(0).abs().max() < 0.1, "from key to key"
    for step in (1, 50):
        neighbours = torch.stack([columns[:, step:].flatten(), columns[:, :-step].flatten()])
        assert torch.corrcoef(neighbours)[0, 1].abs() < 0.02, "from pixel to pixel"


def test_grain_belongs_to_its_key() -> None:
    keys = torch.tensor([5, 2**31 - 1, 0, 5])
    values = grain(keys, 6, 9)
    assert torch.equal(values[0], values[3])
    assert torch.equal(values[1:2], grain(keys[1:2], 6, 9))
    assert torch.equal(unit(keys, 3), values.flatten(1)[:, 3])


def test_hashing_by_hand() -> None:
    """Against whole numbers of Python, which have no width."""

    def hashed(x: int) -> int:
        x = ((x ^ (x >> 15)) * 0x2C1B3C6D) % 2**32
        x = ((x ^ (x >> 12)) * 0x297A2D39) % 2**32
        return x ^ (x >> 15)

    expected = [(hashed((hashed(7) + p) % 2**32) >> 8) / 2**24 for p in range(6)]
    assert grain(torch.tensor([7]), 2, 3).flatten().tolist() == expected


def test_blur_against_a_loop_over_pixels() -> None:
    images, sigma = photographs.taken(2, 11), torch.tensor([0.05, 0.2])
    out = blurred(images, sigma)
    for i in range(2):
        s = float(sigma[i]) * 11
        for y in (0, 4, 10):
            for x in (0, 7):
                weights = torch.tensor(
                    [
                        [math.exp(-((y - a) ** 2 + (x - b) ** 2) / 2 / s**2) for b in range(11)]
                        for a in range(11)
                    ]
                )
                expected = (images[i] * weights).sum((1, 2)) / weights.sum()
                torch.testing.assert_close(out[i, :, y, x], expected, rtol=0, atol=1e-5)


def test_no_blur_is_no_change() -> None:
    assert torch.equal(blurred(PHOTOS, torch.zeros(4)), PHOTOS)


@pytest.mark.parametrize("blocks", [3, 5, 16])
def test_pixelation_against_a_loop_over_blocks(blocks: int) -> None:
    images = photographs.taken(1, 16)
    out = pixelated(images, torch.tensor([float(blocks)]))
    place = ((torch.arange(16) + 0.5) / 16 * blocks).floor()
    for row in range(blocks):
        for column in range(blocks):
            y, x = (place == row).nonzero().squeeze(1), (place == column).nonzero().squeeze(1)
            block = images[0][:, y][:, :, x].mean((1, 2))
            found = out[0][:, y][:, :, x]
            torch.testing.assert_close(found, block.view(3, 1, 1).expand_as(found))


def test_brightness_stays_as_colours_turn() -> None:
    """As long as no channel leaves its range."""
    pale = 0.4 + 0.2 * PHOTOS
    turned_ones = turned_hue(pale, torch.tensor([0.0, 1.0, 3.0, 5.0]), cast=0.1)
    torch.testing.assert_close(luma(turned_ones), luma(pale), rtol=0, atol=1e-5)
    assert (photographs.distance(turned_ones, pale) > 0.02).all()


def test_colours_turned_by_nothing_and_all_the_way_round() -> None:
    pale = 0.4 + 0.2 * PHOTOS
    for angle in (0.0, 2 * math.pi):
        out = turned_hue(pale, torch.full((4,), angle), cast=0.0)
        torch.testing.assert_close(out, pale, rtol=0, atol=1e-5)


def test_opposite_casts_of_grey_are_opposite() -> None:
    grey = torch.full((2, 3, 2, 2), 0.5)
    orange, blue = turned_hue(grey, torch.tensor([0.0, math.pi]), cast=0.1) - 0.5
    torch.testing.assert_close(orange, -blue, rtol=0, atol=1e-6)
    assert orange[0, 0, 0] > 0 > orange[2, 0, 0], "more red and less blue"


def test_recolouring_by_hand() -> None:
    swap = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 2]]).expand(4, -1, -1)
    out = recoloured(PHOTOS, swap, torch.tensor([0.0, 0, -0.5]).expand(4, -1))
    expected = torch.stack([PHOTOS[:, 1], PHOTOS[:, 0], (2 * PHOTOS[:, 2] - 0.5).clamp(0, 1)], 1)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(("height", "width"), [(12, 12), (9, 14)])
def test_a_picture_looked_at_where_it_is(height: int, width: int) -> None:
    images = torch.rand(3, 3, height, width, generator=making.seeded())
    torch.testing.assert_close(sampled(images, grid(images)), images)


def test_a_quarter_turn_is_counter_clockwise() -> None:
    out = sampled(PHOTOS, turned(grid(PHOTOS), torch.full((4,), math.pi / 2)))
    torch.testing.assert_close(out, torch.rot90(PHOTOS, 1, (2, 3)), rtol=0, atol=1e-4)


def test_a_picture_in_its_place_is_itself() -> None:
    out = placed(PHOTOS, torch.ones(4), torch.zeros(4, 2))
    torch.testing.assert_close(out, PHOTOS)


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (0.5, -0.5), (-0.5, 0.25)])
def test_a_picture_of_half_the_side_is_where_it_was_put(right: float, down: float) -> None:
    """It is the picture made small there, and nothing like it elsewhere."""
    size = PHOTOS.shape[-1]
    out = placed(PHOTOS, torch.full((4,), 0.5), torch.tensor([[right, down]]).expand(4, -1))
    left, top = (round(size / 4 + part * size / 2) for part in (right, down))
    window = out[..., top : top + size // 2, left : left + size // 2]
    small = F.interpolate(PHOTOS, size=(size // 2, size // 2), mode="bilinear", antialias=True)
    assert (photographs.distance(window[..., 1:-1, 1:-1], small[..., 1:-1, 1:-1]) < 0.02).all()
    assert (photographs.distance(out, PHOTOS) > 0.05).all()


def test_pixels_that_fall_together_are_averaged() -> None:
    """Stripes too fine to be shown small turn grey, and not into other stripes."""
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, -1)
    out = placed(stripes, torch.tensor([0.42]), torch.zeros(1, 2))
    assert (out[..., 20:44, 20:44] - 0.5).abs().max() < 0.15


def test_around_a_small_picture_lies_a_blur_of_it() -> None:
    """As bright as the picture, and without its edges."""
    out = placed(PHOTOS, torch.full((4,), 0.4), torch.zeros(4, 2))
    border = out[..., :6, :]
    assert (border.diff(dim=3).abs().mean((1, 2, 3)) < PHOTOS.diff(dim=3).abs().mean() / 2).all()
    assert ((border.mean((1, 2, 3)) - PHOTOS[..., :12, :].mean((1, 2, 3))).abs() < 0.1).all()


def test_waves_have_their_number_of_cycles() -> None:
    images = torch.zeros(1, 3, 8, 200)
    wave = waves(images, torch.zeros(1), torch.tensor([7.0]), torch.zeros(1))[0, 0, 0]
    assert int((wave.sign().diff() != 0).sum()) in (13, 14), "two changes of sign a cycle"
    assert set(steep(wave.view(1, 1, 1, -1)).sign().unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_halftone_keeps_how_bright_a_picture_is() -> None:
    greys = torch.linspace(0.1, 0.9, 5).view(5, 1, 1, 1).expand(-1, 3, 96, 96)
    dots = halftone(greys, torch.full((5,), 0.5), torch.full((5,), 12.0)).mean((1, 2, 3))
    assert (dots.diff() > 0.05).all()
    assert ((dots - greys[:, 0, 0, 0]).abs() < 0.2).all()


def test_each_kind_is_given_its_own() -> None:
    values, kind = torch.arange(6.0).view(6, 1), torch.tensor([1, 0, -1, 1, 0, 2])
    asked: list[list[float]] = []

    def tens(some: Tensor, add: Tensor) -> Tensor:
        asked.append(some.flatten().tolist())
        return 10 * some + add.view(-1, 1)

    def minus(some: Tensor, add: Tensor) -> Tensor:
        return -some - add.view(-1, 1)

    out = by_kind(values, kind, (tens, minus), torch.full((6,), 0.5))
    assert out.flatten().tolist() == [-0.5, 10.5, 2.0, -3.5, 40.5, 5.0]
    assert asked == [[1.0, 4.0]]
    assert torch.equal(values, torch.arange(6.0).view(6, 1)), "what was given stays"


def test_drawing_tools_take_a_seed_s_pictures() -> None:
    """The helper's photographs are in range and differ, or all the above would say little."""
    assert 0 <= PHOTOS.min() < PHOTOS.max() <= 1
    assert (photographs.distance(PHOTOS, photographs.taken(4, seed=1)) > 0.1).all()
    spelled = making.numbers(photographs.numbered([2, 3]).images / 255)
    assert spelled.tolist() == list(range(5))
