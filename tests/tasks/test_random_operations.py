import photographs
import pytest
import torch
from making import seeded
from photographs import distance
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.tasks import random_operation_tasks
from fewshot_film.tasks.asking import Nuisance
from fewshot_film.tasks.operations import KINDS, Operations
from fewshot_film.tasks.random_operations import RandomOperation

DATA = photographs.numbered([12, 14, 9, 16, 11], size=12)


def drawn(attribute: RandomOperation, tasks: int, way: int, free: int, seed: int) -> Operations:
    """The operations that a batch of tasks is given, read out of its look."""
    found: list[Operations] = []

    def noting(operations: Operations, images: Tensor, key: Tensor) -> Tensor:
        assert len(key) == len(images)
        found.append(operations)
        return images

    attribute.kind = attribute.kind._replace(applied=noting)
    look = attribute.draw(tasks, way, free, seeded(seed))
    count = tasks * way + free
    look(torch.zeros(count, 3, 2, 2), torch.arange(count), torch.arange(count))
    return found[0]


@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_new_for_every_task_and_label(kind: str) -> None:
    attribute = RandomOperation(kind)
    first, other = (drawn(attribute, 50, 4, 30, seed) for seed in (0, 1))
    both = torch.cat([first.numbers, other.numbers]).flatten(1)
    assert len(both.unique(dim=0)) == 2 * (50 * 4 + 30)


@pytest.mark.parametrize("bank", [5, 12])
def test_a_bank_limits_how_many_there_are(bank: int) -> None:
    """All of them are used, those of a task are distinct, and what is free is any of them."""
    made = drawn(RandomOperation("colour", bank), 400, 4, 600, 0).numbers.flatten(1)
    distinct, number = made.unique(dim=0, return_inverse=True)
    assert len(distinct) == bank
    assert (number[:1600].view(400, 4).sort(1).values.diff(dim=1) > 0).all()
    assert set(number[1600:].tolist()) == set(range(bank))


def test_a_bank_depends_on_its_seed_alone_and_small_ones_begin_large_ones() -> None:
    small, large, other = (
        RandomOperation("geometry", bank, seed).bank for bank, seed in ((4, 0), (9, 0), (9, 1))
    )
    assert small is not None
    assert large is not None
    assert other is not None
    assert torch.equal(small.numbers, large.numbers[:4])
    assert torch.equal(small.kinds, large.kinds[:4])
    assert not torch.equal(other.numbers, large.numbers)


def test_kinds_are_the_groups() -> None:
    tasks = random_operation_tasks(DATA, 3, 2, 2)
    assert tasks.groups == ("which class", "which colour operation", "which geometry operation")
    one = random_operation_tasks(DATA, 3, 2, 2, kinds=("geometry",), asked=("geometry operation",))
    assert one.groups == ("which geometry operation",)
    assert one.names == ("class", "geometry operation")


@pytest.mark.parametrize("nuisance", ["crossed", "mixed"])
@pytest.mark.parametrize("bank", [None, 6])
def test_images_are_images_and_a_function_of_the_generator(
    nuisance: Nuisance, bank: int | None
) -> None:
    tasks = random_operation_tasks(DATA, 3, 2, 3, bank=bank, nuisance=nuisance)
    first, again, other = (tasks.sample(4, seeded(seed)) for seed in (1, 1, 2))
    for name in ("support", "query"):
        part = getattr(first, name)
        assert part.images.shape[2:] == (3, 12, 12)
        assert 0 <= part.images.min() < part.images.max() <= 1
        assert torch.equal(part.images, getattr(again, name).images)
        assert not torch.equal(part.images, getattr(other, name).images)


def test_images_of_a_label_share_an_operation() -> None:
    """The same photograph throughout: what a label's images have in common is its operation."""
    photo = (photographs.taken(1, 24) * 255).byte().expand(len(DATA), -1, -1, -1).contiguous()
    data = type(DATA)(photo, DATA.labels, DATA.names, DATA.domains, DATA.domain_names)
    tasks = random_operation_tasks(
        data, 3, 3, 2, kinds=("geometry",), asked=("geometry operation",)
    )
    episode = tasks.sample(8, seeded())
    images = torch.cat([episode.support.images, episode.query.images], dim=1)
    labels = torch.cat([episode.support.labels, episode.query.labels], dim=1)
    a, b = torch.combinations(torch.arange(15)).unbind(1)
    for shown, label in zip(images, labels, strict=True):
        apart, same = distance(shown[a], shown[b]), label[a] == label[b]
        assert apart[same].max() < 1e-5
        assert apart[~same].min() > 0.01


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match=r"`kinds` names 'color'; .* did you mean 'colour'\?"):
        random_operation_tasks(DATA, 3, 1, 1, kinds=("color",))
    with pytest.raises(UsageError, match="4-way tasks need 4 operations, `bank` is 3"):
        random_operation_tasks(DATA, 4, 1, 1, bank=3)
    with pytest.raises(UsageError, match="`bank` is 0; it must be at least 1"):
        random_operation_tasks(DATA, 4, 1, 1, bank=0)
