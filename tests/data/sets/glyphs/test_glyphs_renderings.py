"""Renderings: shape, range, reproducibility, rows on their own, and one value by hand each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fewshot_film.data.sets.glyphs.renderings import RENDERINGS, SEEN, UNSEEN, render

NUMBERS = {name: i for i, name in enumerate(RENDERINGS)}
RANDOM = ("noise", "dots")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def glyphs(count: int = 6) -> Tensor:
    return torch.rand(count, 1, 28, 28, generator=generator(7))


def drawn(images: Tensor, name: str, seed: int = 0) -> Tensor:
    return render(images, torch.full((len(images),), NUMBERS[name]), generator(seed))


def test_seen_and_unseen_part_the_renderings() -> None:
    assert sorted(SEEN + UNSEEN) == list(range(len(RENDERINGS)))
    assert len(set(RENDERINGS)) == 8
    assert len(SEEN) >= 5


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_range_and_dtype(name: str, dtype: torch.dtype) -> None:
    out = drawn(glyphs().to(dtype), name)
    assert out.shape == (6, 1, 28, 28)
    assert out.dtype == dtype
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_seed_decides(name: str) -> None:
    assert torch.equal(drawn(glyphs(), name, 1), drawn(glyphs(), name, 1))
    other_seed = torch.equal(drawn(glyphs(), name, 1), drawn(glyphs(), name, 2))
    assert other_seed == (name not in RANDOM)


@pytest.mark.parametrize("name", [name for name in RENDERINGS if name not in RANDOM])
def test_a_row_alone_is_the_row_in_a_batch(name: str) -> None:
    assert torch.allclose(drawn(glyphs(), name)[2:3], drawn(glyphs()[2:3], name), atol=1e-6)


def test_each_row_gets_its_own_rendering() -> None:
    every = torch.arange(len(RENDERINGS))
    images = glyphs(1).expand(len(RENDERINGS), -1, -1, -1)
    mixed = render(images, every, generator())
    for i, name in enumerate(RENDERINGS):
        assert torch.allclose(mixed[i], drawn(images, name)[i], atol=1e-6)


def test_two_renderings_of_a_glyph_differ() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[..., 6:22, 8:11] = image[..., 12:15, 8:20] = 1
    looks = torch.cat([drawn(image, name) for name in RENDERINGS])
    distance = (looks[:, None] - looks).abs().mean(dim=(2, 3, 4))
    assert distance[~torch.eye(8, dtype=torch.bool)].min() > 0.02


@pytest.mark.parametrize(
    ("name", "ink", "beside", "far"),
    [
        ("solid", 1.0, 0.0, 0.0),
        ("outline", 0.0, 1.0, 0.0),
        ("inverted", 0.0, 1.0, 1.0),
        ("halftone", 1.0, 0.0, 0.0),
        ("low contrast", 0.6, 0.4, 0.4),
        ("blur", (20 / 64) ** 2, 15 * 20 / 64**2, 0.0),
    ],
)
def test_one_lit_pixel_by_hand(name: str, ink: float, beside: float, far: float) -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 10, 10] = 1
    out = drawn(image, name)[0, 0]
    assert [out[10, 10].item(), out[10, 11].item(), out[20, 20].item()] == pytest.approx(
        [ink, beside, far], abs=1e-6
    )


def test_the_white_squares_of_a_halftone_keep_a_fifth() -> None:
    out = drawn(torch.ones(1, 1, 28, 28), "halftone")[0, 0]
    assert out[:2, :2].tolist() == [pytest.approx([1, 0.2]), pytest.approx([0.2, 1])]


def test_dots_lose_half_of_the_ink_and_light_nothing() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[..., :14] = 1
    out = drawn(image.expand(50, -1, -1, -1), "dots")
    assert out[..., 14:].max() == 0
    assert out[..., :14].mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_host_generator_gives_the_same_pictures_on_the_device() -> None:
    rendering = torch.arange(6)
    here = render(glyphs(), rendering, generator())
    there = render(glyphs().cuda(), rendering.cuda(), generator())
    assert torch.allclose(here, there.cpu(), atol=1e-3)
