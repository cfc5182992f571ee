import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import numbers, seeded

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks import SameDomainSampler
from fewshot_film.tasks.episode import Sampler

DATA = making.image_set([9, 4, 6, 12, 7, 15], domains=3)


def possible(data: ImageSet, way: int, images: int) -> dict[int, set[int]]:
    """domain -> the classes that may take part there, by counting; without the short domains."""
    pairs = list(zip(data.domains.tolist(), data.labels.tolist(), strict=True))
    found = {}
    for domain in range(len(data.domain_names)):
        fit = {c for c in range(len(data.names)) if pairs.count((domain, c)) >= images}
        if len(fit) >= way:
            found[domain] = fit
    return found


@given(seed=st.integers(0, 2**31), shot=st.integers(1, 2), query=st.integers(1, 2))
def test_every_image_is_of_the_task_s_domain(seed: int, shot: int, query: int) -> None:
    sampler = SameDomainSampler(DATA, 2, shot, query)
    episode = sampler.sample(4, seeded(seed))
    allowed = possible(DATA, 2, shot + query)
    images = torch.cat([numbers(episode.support.images), numbers(episode.query.images)], 1)
    assert sampler.groups == DATA.domain_names
    assert (DATA.domains[images] == episode.group.unsqueeze(1)).all()
    for t in range(4):
        assert set(episode.class_ids[t].tolist()) <= allowed[int(episode.group[t])]
        assert len(set(images[t].tolist())) == 2 * (shot + query), "no image twice"


@given(seed=st.integers(0, 2**31))
def test_every_label_is_the_class_of_its_image(seed: int) -> None:
    episode = SameDomainSampler(DATA, 3, 1, 2).sample(4, seeded(seed))
    for part, each in ((episode.support, 1), (episode.query, 2)):
        classes = DATA.labels[numbers(part.images)]
        assert torch.equal(episode.class_ids.gather(1, part.labels), classes)
        assert (part.labels == torch.arange(3).repeat_interleave(each)).all()
    assert all(len(set(ids)) == 3 for ids in episode.class_ids.tolist())


def test_every_domain_class_and_image_is_drawn_alike() -> None:
    """Domains alike; in a domain its classes; in both their images, for support and query."""
    episode = SameDomainSampler(DATA, 2, 1, 1).sample(6000, seeded())
    allowed = possible(DATA, 2, 2)
    assert len(allowed) == 3
    assert alike(torch.bincount(episode.group, minlength=3))
    for domain, fit in allowed.items():
        here = episode.group == domain
        assert alike(torch.bincount(episode.class_ids[here].flatten(), minlength=6)[list(fit)])
        for part in (episode.support, episode.query):
            times = torch.bincount(numbers(part.images[here]).flatten(), minlength=len(DATA))
            for c in fit:
                assert alike(times[(DATA.domains == domain) & (DATA.labels == c)])


def alike(times: torch.Tensor) -> bool:
    """Chi-squared against equal frequencies, with room for a few dozen such questions."""
    expected = times.double().mean()
    return bool(((times - expected) ** 2 / expected).sum() < 20 + 3 * len(times))


def test_by_hand() -> None:
    """Only domain 1 holds two classes of two images, and of class 2 it holds just one."""
    domains = torch.tensor([0, 0, 1, 1, 1, 1, 1, 0])
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 1])
    images = torch.zeros(8, 1, 4, 4, dtype=torch.uint8)
    images[:, 0, 0, 1] = torch.arange(8)
    data = ImageSet(images, labels, ("a", "b", "c"), domains, ("left", "right"))
    sampler = SameDomainSampler(data, 2, 1, 1)
    assert sampler.groups == ("left", "right")
    episode = sampler.sample(20, seeded())
    assert (episode.group == 1).all()
    drawn = torch.cat([numbers(episode.support.images), numbers(episode.query.images)], 1)
    assert all(sorted(task) == [2, 3, 4, 5] for task in drawn.tolist())


def test_tasks_that_cannot_be_drawn() -> None:
    with pytest.raises(
        UsageError, match="no domain has 2 classes with 14 images, as shot plus query ask for; pass"
    ):
        SameDomainSampler(DATA, 2, 1, 13)
    with pytest.raises(UsageError, match="no domain has 7 classes with 2 images"):
        SameDomainSampler(DATA, 7, 1, 1)
    with pytest.raises(UsageError, match="`query` is 0"):
        SameDomainSampler(DATA, 2, 1, 0)


def test_it_is_a_function_of_the_generator() -> None:
    sampler = SameDomainSampler(DATA, 2, 1, 1)
    assert isinstance(sampler, Sampler)
    first, again = sampler.sample(9, seeded(1)), sampler.sample(9, seeded(1))
    assert torch.equal(first.query.images, again.query.images)
    assert torch.equal(first.group, again.group)
    assert not torch.equal(sampler.sample(9, seeded(2)).query.images, first.query.images)


def test_one_domain_is_a_plain_set() -> None:
    data = making.image_set([5, 5, 5])
    episode = SameDomainSampler(data, 3, 2, 3).sample(2, seeded())
    assert episode.support.images.shape == (2, 6, 1, 4, 4)
    assert episode.query.images.shape == (2, 9, 1, 4, 4)
    assert episode.group.tolist() == [0, 0]
