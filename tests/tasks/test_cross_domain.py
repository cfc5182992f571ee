from dataclasses import replace

import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks import CrossDomainSampler
from fewshot_film.tasks.episode import Episode

DATA = making.image_set([9, 4, 6, 12, 7, 5], domains=3)


def possible(data: ImageSet, way: int, shot: int, query: int) -> dict[int, set[int]]:
    """domain -> the classes that may take part there, by counting; without the short domains."""
    found = {}
    for domain in range(len(data.domain_names)):
        fit = set()
        for c in range(len(data.names)):
            domains = [
                d
                for d, label in zip(data.domains.tolist(), data.labels.tolist(), strict=True)
                if label == c
            ]
            inside = domains.count(domain)
            if inside >= shot and len(domains) - inside >= query:
                fit.add(c)
        if len(fit) >= way:
            found[domain] = fit
    return found


def support_domain(data: ImageSet, episode: Episode, t: int) -> int:
    domains = data.domains[making.numbers(episode.support.images[t])].unique().tolist()
    assert len(domains) == 1, "one domain"
    return int(domains[0])


@given(seed=st.integers(0, 2**31), shot=st.integers(1, 2), query=st.integers(1, 3))
def test_support_in_one_domain_and_queries_outside(seed: int, shot: int, query: int) -> None:
    episode = CrossDomainSampler(DATA, 2, shot, query).sample(4, seeded(seed))
    allowed = possible(DATA, 2, shot, query)
    for t in range(4):
        domain = support_domain(DATA, episode, t)
        queries = making.numbers(episode.query.images[t])
        assert (DATA.domains[queries] != domain).all()
        assert set(episode.class_ids[t].tolist()) <= allowed[domain]
        assert len(set(queries.tolist())) == 2 * query, "no image twice"
        assert len(set(making.numbers(episode.support.images[t]).tolist())) == 2 * shot


@given(seed=st.integers(0, 2**31))
def test_every_label_is_the_class_of_its_image(seed: int) -> None:
    episode = CrossDomainSampler(DATA, 3, 1, 2).sample(4, seeded(seed))
    for part, each in ((episode.support, 1), (episode.query, 2)):
        classes = DATA.labels[making.numbers(part.images)]
        assert torch.equal(episode.class_ids.gather(1, part.labels), classes)
        assert (part.labels.sort(1).values == torch.arange(3).repeat_interleave(each)).all()
    assert all(len(set(ids)) == 3 for ids in episode.class_ids.tolist())


def test_every_domain_class_and_image_is_drawn() -> None:
    """Domains alike; of a class in a domain, the images inside and outside alike."""
    episode = CrossDomainSampler(DATA, 2, 1, 1).sample(6000, seeded())
    allowed = possible(DATA, 2, 1, 1)
    support = making.numbers(episode.support.images)
    queries = making.numbers(episode.query.images)
    domains = DATA.domains[support[:, 0]]
    drawn = torch.bincount(domains, minlength=3)[list(allowed)].double()
    assert ((drawn - drawn.mean()) ** 2 / drawn.mean()).sum() < 13.9
    for c in allowed[0]:
        chosen = (domains == 0).unsqueeze(1) & (DATA.labels[support] == c)
        for images, here in ((support, DATA.domains == 0), (queries, DATA.domains != 0)):
            times = torch.bincount(images[chosen], minlength=len(DATA))
            candidates = times[here & (DATA.labels == c)].double()
            assert times.sum() == candidates.sum()
            expected = candidates.mean()
            assert ((candidates - expected) ** 2 / expected).sum() < 20 + 3 * len(candidates)


def test_domains_without_enough_classes_are_left_out() -> None:
    """Domain 2 has a single class: no 2-way task can be drawn there."""
    domains = torch.where((DATA.domains == 2) & (DATA.labels > 0), 0, DATA.domains)
    data = replace(DATA, domains=domains)
    episode = CrossDomainSampler(data, 2, 1, 1).sample(200, seeded())
    assert {support_domain(data, episode, t) for t in range(200)} == set(possible(data, 2, 1, 1))
    assert 2 not in possible(data, 2, 1, 1)


def test_tasks_that_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="no domain has 2 classes with 1 images inside and 13"):
        CrossDomainSampler(DATA, 2, 1, 13)
    with pytest.raises(UsageError, match="no domain has 2 classes"):
        CrossDomainSampler(making.image_set([9, 9]), 2, 1, 1)
    with pytest.raises(UsageError, match="`shot` is 0"):
        CrossDomainSampler(DATA, 2, 0, 1)
    with pytest.raises(UsageError, match="no domain has 7 classes"):
        CrossDomainSampler(DATA, 7, 1, 1)


def test_it_is_a_function_of_the_generator() -> None:
    sampler = CrossDomainSampler(DATA, 2, 1, 1)
    first, again = sampler.sample(9, seeded(1)), sampler.sample(9, seeded(1))
    assert torch.equal(first.query.images, again.query.images)
    assert not torch.equal(sampler.sample(9, seeded(2)).query.images, first.query.images)
