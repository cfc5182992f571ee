from fractions import Fraction

import making
import numpy as np
import pytest
import torch
from torch import Tensor

from fewshot_film.base.pixels import as_float, as_pixels, check_held, check_pixels
from fewshot_film.errors import UsageError

BYTES = torch.arange(256, dtype=torch.uint8)
"""Every value a pixel can have."""


def pixels(*shape: int) -> Tensor:
    return torch.randint(256, shape, generator=making.seeded(), dtype=torch.uint8)


def test_every_byte_is_the_nearest_float_to_its_quotient() -> None:
    found = as_float(BYTES)
    assert found.dtype == torch.float32
    for byte, value in enumerate(found.numpy()):
        off = abs(Fraction(float(value)) - Fraction(byte, 255))
        for neighbour in np.nextafter(value, np.array([-1, 2], np.float32)):
            assert off < abs(Fraction(float(neighbour)) - Fraction(byte, 255))


def test_every_byte_has_the_bits_of_a_division() -> None:
    expected = np.arange(256, dtype=np.float32) / np.float32(255)
    assert as_float(BYTES).numpy().tobytes() == expected.tobytes()
    by_reciprocal = np.arange(256, dtype=np.float32) * (np.float32(1) / np.float32(255))
    assert by_reciprocal.tobytes() != expected.tobytes(), "what CUDA makes of `/ 255`"


def test_autocast_leaves_the_bits() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(as_float(BYTES), BYTES.float() / 255)


@pytest.mark.parametrize("size", [0, 1, 28])
def test_images_of_any_size_keep_their_bits_and_are_not_written_to(size: int) -> None:
    """A vectorized division has a rest that does not fill its registers."""
    images = pixels(5, 3, size, size)
    before = images.clone()
    assert torch.equal(as_float(images), images.float() / 255)
    assert torch.equal(images, before)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_order_in_memory_stays(layout: torch.memory_format) -> None:
    images = pixels(4, 3, 6, 5).contiguous(memory_format=layout)
    found = as_float(images)
    assert found.stride() == images.stride()
    assert torch.equal(found, images.float() / 255)


def test_bytes_are_scaled_and_floats_are_left_as_they_are() -> None:
    images = pixels(2, 1, 3, 3)
    assert torch.equal(as_pixels(images), as_float(images))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        floats = as_float(images).to(dtype)
        assert as_pixels(floats) is floats


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
def test_bytes_and_floats_are_images(dtype: torch.dtype) -> None:
    for images in (torch.ones(2, 1, 3, 3, dtype=dtype), torch.ones(0, 1, 3, 3, dtype=dtype)):
        check_held(images)
        check_pixels(images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.ones(1, 3, 3), r"images are \(N, C, H, W\), these have the shape \(1, 3, 3\)"),
        (torch.ones(2, 1, 3, 3).long(), r"images are uint8 or float, these are torch\.int64"),
        (torch.ones(2, 1, 3, 3).bool(), r"images are uint8 or float, these are torch\.bool"),
    ],
)
def test_what_is_no_image(images: Tensor, message: str) -> None:
    for check in (check_held, check_pixels):
        with pytest.raises(UsageError, match=message):
            check(images)


def test_the_ends_of_the_range_are_pixels_and_what_is_beyond_is_not() -> None:
    images = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    check_pixels(images)
    for beyond in (images - 1e-6, images + 1e-6):
        with pytest.raises(UsageError, match=r"are in \[0, 1\], these go from .*; divide pixels"):
            check_pixels(beyond)
        check_held(beyond)


@pytest.mark.gpu
@pytest.mark.parametrize("autocast", [False, True])
def test_on_a_gpu_to_the_bit(autocast: bool) -> None:
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        for images in (BYTES, pixels(5, 3, 84, 84)):
            found = as_float(images.cuda())
            assert found.dtype == torch.float32
            assert torch.equal(found.cpu(), as_float(images))
            assert torch.equal(found.bfloat16().cpu(), as_float(images).bfloat16())
