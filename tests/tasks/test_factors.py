"""Laws of every factor, and what each of its levels shows."""

import math
from itertools import combinations, pairwise

import photographs
import pytest
import torch
from making import seeded
from photographs import distance
from torch import Tensor

from fewshot_film.tasks.factors import FACTORS, LEVELS, RENDERINGS, SEEN, TEXTURES, UNSEEN
from fewshot_film.tasks.factors.colour import HIGH, LOW
from fewshot_film.tasks.imaging.colour import luma
from fewshot_film.tasks.photo_attributes import JITTER

every_factor = pytest.mark.parametrize("name", FACTORS)
PHOTOS = photographs.taken(3, 64)
KINDS = ("rendering", "texture")
"""Their levels differ in kind, so nothing lies between two."""


def at(name: str, level: float, photos: Tensor = PHOTOS) -> Tensor:
    """All at one level, each with a key of its own."""
    count = len(photos)
    return FACTORS[name](photos, torch.full((count,), float(level)), torch.arange(count))


def test_every_level_is_seen_or_unseen() -> None:
    assert sorted(SEEN + UNSEEN) == list(range(LEVELS))
    assert len(TEXTURES) == len(RENDERINGS) == LEVELS
    assert all(low in SEEN and high in UNSEEN for low, high in zip(SEEN, UNSEEN, strict=True))


@every_factor
@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 28), (7, 7), (9, 14)])
def test_images_stay_images(name: str, height: int, width: int) -> None:
    images = torch.rand(LEVELS, 3, height, width, generator=seeded())
    before = images.clone()
    out = FACTORS[name](images, torch.arange(LEVELS) - 0.25, torch.arange(LEVELS))
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert torch.equal(images, before), "what was given stays"
    assert 0 <= out.min() <= out.max() <= 1


@every_factor
@pytest.mark.parametrize("shade", [0.0, 0.5, 1.0])
def test_flat_images_are_drawn_too(name: str, shade: float) -> None:
    out = FACTORS[name](
        torch.full((LEVELS, 3, 16, 16), shade), torch.arange(10.0), torch.arange(10)
    )
    assert out.isfinite().all()
    assert 0 <= out.min() <= out.max() <= 1


@every_factor
def test_an_image_alone_is_as_among_others(name: str) -> None:
    """Its level and its key are its own: so is what becomes of it."""
    photos, order = photographs.taken(LEVELS, 32), torch.arange(LEVELS).flip(0)
    level, key = torch.arange(LEVELS) + 0.1, torch.arange(LEVELS) * 7
    together = FACTORS[name](photos, level, key)
    shuffled = FACTORS[name](photos[order], level[order], key[order])
    torch.testing.assert_close(shuffled, together[order], rtol=0, atol=1e-5)
    for i in range(LEVELS):
        one = slice(i, i + 1)
        alone = FACTORS[name](photos[one], level[one], key[one])
        torch.testing.assert_close(alone, together[one], rtol=0, atol=1e-5)


@every_factor
def test_levels_differ_by_more_than_images_miss_theirs(name: str) -> None:
    """Any two that one task may tell apart, on every photograph."""
    for levels in (SEEN, UNSEEN):
        shown = {level: at(name, float(level)) for level in levels}
        missed = torch.stack(
            [distance(shown[k], at(name, k + by)) for k in levels for by in (-JITTER, JITTER)]
        )
        apart = [distance(shown[a], shown[b]) for a, b in combinations(levels, 2)]
        for photo in range(len(PHOTOS)):
            nearest = min(float(d[photo]) for d in apart)
            assert nearest > max(0.007, 1.5 * float(missed[:, photo].median())), name


@every_factor
def test_no_level_comes_twice(name: str) -> None:
    shown = torch.stack([at(name, float(level)) for level in range(LEVELS)])
    apart = [distance(a, b).min() for a, b in combinations(shown, 2)]
    assert min(apart) > 1e-4


@every_factor
def test_a_level_that_is_missed_a_little_is_between(name: str) -> None:
    """Where levels do not differ in kind; where they do, it is the nearest."""
    exact, missed, far = (at(name, 4 + by) for by in (0.0, JITTER, 1.0))
    if name in KINDS:
        assert torch.equal(missed, exact)
    else:
        assert (distance(exact, missed) > 0).all()
        assert (distance(exact, missed) < distance(exact, far)).all()


def test_rotation_turns_by_tenths_and_comes_back() -> None:
    photos = photographs.taken(2, 20)
    torch.testing.assert_close(at("rotation", 0.0, photos), photos)
    half = at("rotation", LEVELS / 2, photos)
    torch.testing.assert_close(half, photos.flip(2, 3), rtol=0, atol=1e-4)
    torch.testing.assert_close(at("rotation", LEVELS, photos), photos, rtol=0, atol=1e-4)


def test_corners_of_a_turned_picture_are_not_black() -> None:
    bright = 0.5 + 0.5 * PHOTOS
    assert all(at("rotation", k, bright).min() > 0.49 for k in (1.0, 3.0, 5.0))


def test_size_falls_and_the_first_is_the_whole() -> None:
    torch.testing.assert_close(at("size", 0.0), PHOTOS)
    square = torch.zeros(1, 3, 80, 80)
    square[..., 20:60, 20:60] = 1
    bright = [float((at("size", float(k), square) > 0.7).sum()) ** 0.5 for k in range(LEVELS)]
    shares = torch.tensor(bright) / bright[0]
    expected = 0.42 ** (torch.arange(LEVELS) / (LEVELS - 1))
    assert (shares - expected).abs().max() < 0.05


def test_places_lie_on_a_circle() -> None:
    dot = torch.zeros(1, 3, 100, 100)
    dot[..., 46:54, 46:54] = 1
    for k in range(LEVELS):
        bright = (at("position", float(k), dot)[0, 0] > 0.4).nonzero().float().mean(0)
        y, x = ((bright + 0.5) / 50 - 1).tolist()
        angle = k * math.pi / 5
        assert x == pytest.approx(0.35 * math.cos(angle), abs=0.02)
        assert y == pytest.approx(-0.35 * math.sin(angle), abs=0.02)


def test_contrast_is_what_it_says_whatever_it_was() -> None:
    for photos in (PHOTOS, 0.4 + 0.1 * PHOTOS):
        low = at("contrast", LEVELS - 1, photos)
        torch.testing.assert_close(low.std((1, 2, 3)), torch.full((3,), LOW), rtol=0.01, atol=0)
        torch.testing.assert_close(low.mean((1, 2, 3)), photos.mean((1, 2, 3)))
    spread = [float(at("contrast", float(k)).std((1, 2, 3)).mean()) for k in range(LEVELS)]
    assert all(a > b for a, b in pairwise(spread))
    assert HIGH / 2 < spread[0] < HIGH, "values that would leave the range are cut off"


def test_blur_takes_detail_away_level_by_level() -> None:
    assert torch.equal(at("blur", 0.0), PHOTOS)
    assert torch.equal(at("blur", -JITTER), PHOTOS)
    detail = [float(at("blur", float(k)).diff(dim=3).abs().mean()) for k in range(LEVELS)]
    assert all(a > b for a, b in pairwise(detail))


def test_hues_of_a_grey_picture_go_round() -> None:
    grey = torch.full((LEVELS, 3, 4, 4), 0.5)
    chroma = FACTORS["hue"](grey, torch.arange(10.0), torch.arange(10))[:, :, 0, 0] - 0.5
    torch.testing.assert_close(chroma[:5], -chroma[5:], rtol=0, atol=1e-6)
    assert luma(chroma.view(-1, 3, 1, 1)).abs().max() < 1e-6


def test_the_first_texture_is_none_and_the_others_begin_anywhere() -> None:
    assert torch.equal(at("texture", 0.0), PHOTOS)
    same = PHOTOS[:1].expand(6, -1, -1, -1)
    for k, texture in enumerate(TEXTURES[1:], start=1):
        drawn = FACTORS["texture"](same, torch.full((6,), float(k)), torch.arange(6))
        distinct = len(drawn.flatten(1).unique(dim=0))
        assert distinct == (1 if texture == "halftone" else 6), texture


def test_renderings_by_hand() -> None:
    shown = {name: at("rendering", float(k)) for k, name in enumerate(RENDERINGS)}
    assert torch.equal(shown["photograph"], PHOTOS)
    torch.testing.assert_close(shown["negative"], 1 - PHOTOS)
    assert torch.equal(shown["swapped"], PHOTOS[:, [2, 0, 1]])
    torch.testing.assert_close(shown["grey"], luma(PHOTOS).expand(-1, 3, -1, -1))
    assert set((3 * shown["poster"]).round().unique().tolist()) == {0.0, 1.0, 2.0, 3.0}
    red, _, blue = shown["sepia"].unbind(1)
    assert (red >= blue).all(), "brown"
    assert len(shown["mosaic"][0, 0].unique()) <= 400
    for name in ("drawing", "halftone"):
        assert (shown[name] == shown[name][:, :1]).all(), "without colour"
    edge = torch.zeros(1, 3, 9, 9)
    edge[..., 5:] = 1
    line = at("rendering", float(RENDERINGS.index("drawing")), edge)[0, 0]
    assert (line[:, 4:6] == 0).all(), "dark where brightness changes"
    assert (line[:, :4] == 1).all(), "white elsewhere"
    assert (line[:, 6:] == 1).all()


@pytest.mark.gpu
@every_factor
def test_the_device_draws_the_same(name: str) -> None:
    photos, level, key = photographs.taken(LEVELS, 64), torch.arange(10.0), torch.arange(10)
    expected = FACTORS[name](photos, level, key)
    there = FACTORS[name](photos.cuda(), level.cuda(), key.cuda())
    assert there.is_cuda
    assert (distance(there.cpu(), expected) < 1e-4).all()
