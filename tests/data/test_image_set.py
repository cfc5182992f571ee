from dataclasses import FrozenInstanceError

import making
import pytest
import torch
from making import numbers

from fewshot_film.data.image_set import ImageSet

DATA = making.image_set([4, 2, 6, 3], domains=3)


def described(data: ImageSet) -> set[tuple[int, str, str]]:
    """number, class and domain of every image, all by name."""
    number = numbers(data.images.float() / 255).tolist()
    return {
        (n, data.names[c], data.domain_names[d])
        for n, c, d in zip(number, data.labels.tolist(), data.domains.tolist(), strict=True)
    }


def test_size_channels_and_device() -> None:
    assert len(DATA) == 15
    assert DATA.channels == 1
    assert DATA.device.type == "cpu"
    assert DATA.to("meta").device.type == "meta"
    assert DATA.to("meta").labels.device.type == "meta"


def test_of_classes_renumbers_in_the_order_given() -> None:
    data = DATA.of_classes([3, 0])
    assert data.names == ("class3", "class0")
    assert torch.bincount(data.labels).tolist() == [3, 4]
    assert described(data) == {x for x in described(DATA) if x[1] in ("class3", "class0")}


def test_of_all_classes_is_the_same_set() -> None:
    data = DATA.of_classes(range(4))
    assert torch.equal(data.images, DATA.images)
    assert torch.equal(data.labels, DATA.labels)


def test_with_at_least() -> None:
    data = DATA.with_at_least(4)
    assert data.names == ("class0", "class2")
    assert described(data) == {x for x in described(DATA) if x[1] in data.names}


def test_resize_keeps_what_is_what() -> None:
    data = DATA.resize(8)
    assert data.images.shape == (15, 1, 8, 8)
    assert data.images.dtype == torch.uint8
    assert torch.equal(data.labels, DATA.labels)
    assert DATA.resize(4) is DATA


def test_resize_averages_where_it_shrinks() -> None:
    """Brightness stays, and a constant image stays itself."""
    images = torch.full((2, 1, 16, 16), 200, dtype=torch.uint8)
    images[1, :, :, ::2] = 0
    labels, names = torch.tensor([0, 1]), ("a", "b")
    small = ImageSet(images, labels, names, torch.tensor([0, 0]), ("d",)).resize(4)
    assert (small.images[0] == 200).all()
    assert (small.images[1].float().mean() - 100).abs() < 2
    assert (small.images[1].float() - 100).abs().max() < 30


def test_a_set_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DATA.labels = DATA.labels  # type: ignore[misc]
