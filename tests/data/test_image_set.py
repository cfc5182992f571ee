from dataclasses import FrozenInstanceError, replace

import making
import pytest
import torch
from making import numbers

from fewshot_film.data.image_set import ImageSet, joined
from fewshot_film.errors import UsageError
from fewshot_film.tasks.plain import EpisodeSampler

DATA = making.image_set([4, 2, 6, 3], domains=3)
LARGE = making.image_set([20, 30, 25, 15], domains=3)


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


def test_of_domains_renumbers_in_the_order_given() -> None:
    data = LARGE.of_domains(["domain2", "domain0"])
    assert data.domain_names == ("domain2", "domain0")
    assert data.names == LARGE.names, "classes keep their numbers"
    assert described(data) == {x for x in described(LARGE) if x[2] in ("domain2", "domain0")}


def test_of_all_domains_is_the_same_set() -> None:
    data = LARGE.of_domains(LARGE.domain_names)
    assert torch.equal(data.images, LARGE.images)
    assert torch.equal(data.domains, LARGE.domains)


def test_an_unknown_domain_is_named() -> None:
    with pytest.raises(
        UsageError, match="no domain 'sketch': choose among domain0, domain1, domain2"
    ):
        LARGE.of_domains(["domain0", "sketch"])


def test_a_domain_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="the domains domain1, domain1 name one twice"):
        LARGE.of_domains(["domain1", "domain1"])


def test_a_class_that_is_in_none_of_the_domains_is_named() -> None:
    data = replace(LARGE, domains=torch.where(LARGE.labels == 2, 0, LARGE.domains))
    with pytest.raises(
        UsageError, match="class 'class2' has no image in the domains domain2, domain1; add"
    ):
        data.of_domains(["domain2", "domain1"])


def test_of_images() -> None:
    data = LARGE.of_images(torch.arange(len(LARGE)) >= 80)
    assert described(data) == {x for x in described(LARGE) if x[0] >= 80}


def test_joined_keeps_what_is_what() -> None:
    """Parts of a set, whole again; a domain of every part is one of its own."""
    parts = [LARGE.of_domains([name]) for name in LARGE.domain_names]
    assert described(joined(parts)) == described(LARGE)
    assert joined([parts[0], LARGE]).domain_names == ("domain0", *LARGE.domain_names)
    assert described(joined([parts[0], LARGE])) == described(LARGE)


def test_a_large_set_is_resized_in_parts() -> None:
    """Each image as it is alone, to a smaller size and to a larger one."""
    data, number = making.image_set([2100], size=6), torch.arange(2100)
    for size in (4, 9):
        found = data.resize(size).images
        for part in (slice(0, 3), slice(1022, 1027), slice(2046, 2050), slice(2097, 2100)):
            assert torch.equal(found[part], data.of_images(number[part]).resize(size).images)


# --- readings


def read() -> ImageSet:
    """A set whose images have been read: as many numbers each, and one pixel."""
    rng = making.seeded()
    return replace(LARGE, images=torch.randn(len(LARGE), 7, 1, 1, generator=rng).half())


def test_readings_are_chosen_as_images_are() -> None:
    data = read()
    assert data.channels == 7
    assert data.resize(1) is data
    for chosen, pictured in (
        (data.of_classes([3, 0]), LARGE.of_classes([3, 0])),
        (data.of_domains(["domain1"]), LARGE.of_domains(["domain1"])),
        (data.with_at_least(21), LARGE.with_at_least(21)),
    ):
        numbers_of = numbers(pictured.images.float() / 255)
        assert torch.equal(chosen.images, data.images[numbers_of])
        assert torch.equal(chosen.labels, pictured.labels)
        assert torch.equal(chosen.domains, pictured.domains)
        assert chosen.images.dtype == torch.float16
    both = joined([data, data])
    assert torch.equal(both.images, data.images.repeat(2, 1, 1, 1))


def test_readings_are_drawn_as_they_are() -> None:
    """What a task holds are their values, which no division by 255 has changed."""
    data = read()
    drawn = EpisodeSampler(data, 3, 2, 2).sample(4, making.seeded(1))
    pictured = EpisodeSampler(LARGE, 3, 2, 2).sample(4, making.seeded(1))
    index = numbers(pictured.query.images)
    assert drawn.query.images.dtype == torch.float32
    assert torch.equal(drawn.query.images, data.images[index].float())
    assert torch.equal(drawn.query.labels, pictured.query.labels)
