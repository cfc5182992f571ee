import making
import pytest
import torch
from making import seeded
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.tasks import NestedLabellingSampler
from fewshot_film.tasks.episode import Episode

DATA = making.image_set([9, 12, 10, 11, 9, 10, 13, 9, 12, 10])
GROUP = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
"""Of each class: groups of four, three, two and one."""


def tasks_of(way: int = 3, shot: int = 4, query: int = 3) -> NestedLabellingSampler:
    return NestedLabellingSampler(
        DATA, way, shot, query, groups_of=GROUP[DATA.labels], names=("character", "alphabet")
    )


def classes(episode: Episode) -> tuple[Tensor, Tensor]:
    """The class of each image of support and query."""
    return (
        DATA.labels[making.numbers(episode.support.images)],
        DATA.labels[making.numbers(episode.query.images)],
    )


def test_tasks_of_classes_stay_in_one_group() -> None:
    episode = tasks_of().sample(200, seeded())
    asked = episode.group == 0
    for part, shown in zip((episode.support, episode.query), classes(episode), strict=True):
        assert torch.equal(shown[asked], episode.class_ids.gather(1, part.labels)[asked])
    groups = GROUP[episode.class_ids[asked]]
    assert (groups == groups[:, :1]).all()
    assert set(groups[:, 0].tolist()) == {0, 1}, "two have three classes"


def test_queries_of_groups_are_of_other_classes_than_the_support() -> None:
    episode = tasks_of().sample(200, seeded())
    asked = (episode.group == 1).nonzero().squeeze(1).tolist()
    support, query = classes(episode)
    for t in asked:
        assert not set(support[t].tolist()) & set(query[t].tolist())
        for part, shown in ((episode.support, support[t]), (episode.query, query[t])):
            assert torch.equal(GROUP[shown], episode.class_ids[t][part.labels[t]])
    assert set(episode.class_ids[asked].flatten().tolist()) == {0, 1, 2}, "one has no two classes"


def test_a_group_s_support_is_of_half_its_classes_the_odd_one_among_them() -> None:
    episode = tasks_of(way=2, shot=8, query=1).sample(600, seeded())
    support, _ = classes(episode)
    seen: dict[int, set[int]] = {}
    for t in (episode.group == 1).nonzero().squeeze(1).tolist():
        for label, group in enumerate(episode.class_ids[t].tolist()):
            shown = support[t][episode.support.labels[t] == label]
            seen.setdefault(group, set()).add(len(shown.unique()))
    assert {group: max(counts) for group, counts in seen.items()} == {0: 2, 1: 2, 2: 1}


def test_sets_are_balanced_and_share_no_image() -> None:
    sampler = tasks_of()
    assert sampler.groups == ("which character", "which alphabet")
    episode = sampler.sample(300, seeded())
    for part, each in ((episode.support, 4), (episode.query, 3)):
        assert (part.labels == torch.arange(3).repeat_interleave(each)).all()
        assert part.factors is None
    both = torch.cat([episode.support.images, episode.query.images], dim=1)
    for row in making.numbers(both).tolist():
        assert len(set(row)) == len(row)
    times = torch.bincount(episode.group, minlength=2).double()
    assert ((times - 150) ** 2 / 150).sum() < 10.9


def test_it_is_a_function_of_the_generator() -> None:
    first, again, other = (tasks_of().sample(4, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.support.images, again.support.images)
    assert torch.equal(first.query.images, again.query.images)
    assert not torch.equal(first.support.images, other.support.images)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match=r"largest of 4 holds 4, 3 hold two; pass a smaller `way`"):
        tasks_of(way=4, shot=1, query=1)
    with pytest.raises(UsageError, match="'class0' has 9 images, shot plus query ask for 10"):
        tasks_of(shot=5, query=5)
    with pytest.raises(UsageError, match=r"class 'class\d' has images of more than one superclass"):
        NestedLabellingSampler(DATA, 2, 1, 1, groups_of=torch.arange(len(DATA)) % 3)
