import making
import photographs
import pytest
import torch
from making import seeded

from fewshot_film.errors import UsageError
from fewshot_film.tasks import class_or_domain, other_labels, other_question, photo_attribute_tasks
from fewshot_film.tasks.episode import Episode

DATA = photographs.numbered([12, 14, 9, 16, 11], size=8)
ATTRIBUTES = photo_attribute_tasks(DATA, 3, 3, 3, factors=("hue", "size"))


def test_other_labels_are_the_same_ones_dealt_out_anew() -> None:
    episode = ATTRIBUTES.sample(60, seeded())
    dealt = other_labels(episode, seeded(1))
    before, after = episode.support.labels, dealt.support.labels
    assert torch.equal(before.sort(1).values, after.sort(1).values)
    agree = (before == after).double().mean()
    assert agree == pytest.approx(1 / 3, abs=0.07), "by chance"
    assert torch.equal(dealt.support.images, episode.support.images)
    assert torch.equal(dealt.query.labels, episode.query.labels)
    assert torch.equal(after, other_labels(episode, seeded(1)).support.labels)
    assert torch.equal(episode.support.labels, before), "what was given stays"


def test_the_other_question_is_another_factor_of_the_same_images() -> None:
    episode = ATTRIBUTES.sample(300, seeded())
    other = other_question(episode, seeded(1))
    assert torch.equal(other.support.images, episode.support.images)
    asked = columns(other)
    assert (asked != episode.group).all()
    for group in range(3):
        times = torch.bincount(asked[episode.group == group], minlength=3).double()
        times = times[torch.arange(3) != group]
        assert ((times - times.mean()) ** 2 / times.mean()).sum() < 10.9, "either other one"


def columns(episode: Episode) -> torch.Tensor:
    """The factor that support and query are both labelled by, task by task."""
    sets = (episode.support, episode.query)
    found = []
    for part in sets:
        assert part.factors is not None
        found.append((part.factors == part.labels.unsqueeze(2)).all(1))
    return (found[0] & found[1]).int().argmax(1)


def test_of_two_factors_it_is_the_other_one_and_twice_the_first() -> None:
    data = making.image_set([40, 44, 36, 48, 40], domains=4)
    episode = class_or_domain(data, 3, 2, 2).sample(50, seeded())
    other = other_question(episode, seeded(1))
    assert torch.equal(columns(other), 1 - episode.group)
    back = other_question(other, seeded(2))
    assert torch.equal(back.support.labels, episode.support.labels)
    assert torch.equal(back.query.labels, episode.query.labels)


def test_tasks_of_one_labelling_have_no_other_question() -> None:
    data = making.image_set([40, 44, 36, 48, 40], domains=4)
    episode = class_or_domain(data, 3, 2, 2, nuisance="mixed").sample(2, seeded())
    with pytest.raises(UsageError, match="no labelling but the one that is asked"):
        other_question(episode, seeded())
