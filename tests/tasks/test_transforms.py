import making
import numpy as np
import pytest
import torch
from making import seeded

from fewshot_film.tasks.transforms import flip_and_crop, flip_and_crop_diagonal, shifted_crop


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 24), (7, 9)])
def test_flip_and_crop_against_a_loop(height: int, width: int) -> None:
    images = torch.rand(20, 2, height, width)
    out = flip_and_crop(images, seeded(3))
    rng, rows, columns = seeded(3), height // 8, width // 8
    flip = torch.rand(20, generator=rng) < 0.5
    top = (torch.rand(20, 1, generator=rng) * (2 * rows + 1)).long()
    left = (torch.rand(20, 1, generator=rng) * (2 * columns + 1)).long()
    for i in range(20):
        image = images[i].numpy()[..., ::-1] if flip[i] else images[i].numpy()
        padded = np.pad(image, ((0, 0), (rows, rows), (columns, columns)), mode="reflect")
        y, x = int(top[i]), int(left[i])
        assert np.array_equal(out[i].numpy(), padded[:, y : y + height, x : x + width])


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 24), (7, 9)])
def test_flip_and_crop_diagonal_against_a_loop(height: int, width: int) -> None:
    images = torch.rand(20, 2, height, width)
    out = flip_and_crop_diagonal(images, seeded(3))
    rng, margin = seeded(3), min(height, width) // 8
    flip = torch.rand(20, generator=rng) < 0.5
    offset = (torch.rand(20, 1, generator=rng) * (2 * margin + 1)).long()
    for i in range(20):
        image = images[i].numpy()[..., ::-1] if flip[i] else images[i].numpy()
        padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)), mode="reflect")
        at = int(offset[i])
        assert np.array_equal(out[i].numpy(), padded[:, at : at + height, at : at + width])


def test_a_diagonal_crop_moves_both_axes_alike() -> None:
    """Unflipped, the bright pixel stays on its diagonal; every offset is as likely."""
    images = torch.zeros(2000, 1, 16, 16)
    images[:, 0, 8, 6] = 1
    places = flip_and_crop_diagonal(images, seeded()).flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    unflipped = columns - rows == -2
    assert (unflipped | (columns - rows == 1)).all(), "mirrored, column 6 is column 9"
    assert abs(unflipped.double().mean() - 0.5) < 0.05
    moved = torch.bincount(rows)[6:].double()
    assert len(moved) == 5
    assert ((moved - 400) ** 2 / 400).sum() < 18.5


def test_half_are_flipped_and_every_offset_is_reached() -> None:
    images = torch.zeros(2000, 1, 16, 16)
    images[:, 0, 8, 6] = 1
    out = flip_and_crop(images, seeded())
    places = out.flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    assert sorted(set(rows.tolist())) == [6, 7, 8, 9, 10]
    assert sorted(set(columns.tolist())) == list(range(4, 12))
    moved = torch.bincount(rows)[6:].double()
    assert ((moved - 400) ** 2 / 400).sum() < 18.5
    assert abs((columns < 8).double().mean() - 0.5) < 0.1


def test_channels_move_together() -> None:
    grey = making.pictures(10)
    out = flip_and_crop(grey.expand(-1, 3, -1, -1), seeded())
    assert torch.equal(out, flip_and_crop(grey, seeded()).expand(-1, 3, -1, -1))


def test_no_shift_is_no_change() -> None:
    images = making.pictures(3)
    assert torch.equal(shifted_crop(images, 0, 0, seeded()), images)


def test_it_is_a_function_of_the_generator() -> None:
    images, before = making.pictures(5), making.pictures(5)
    assert torch.equal(flip_and_crop(images, seeded(1)), flip_and_crop(images, seeded(1)))
    assert not torch.equal(flip_and_crop(images, seeded(1)), flip_and_crop(images, seeded(2)))
    assert torch.equal(images, before)
