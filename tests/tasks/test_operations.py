"""Laws of random operations, and of each kind of step that they are made of."""

from itertools import combinations

import photographs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded
from photographs import distance

from fewshot_film.tasks.imaging.sampling import grid, sampled
from fewshot_film.tasks.operations import KINDS, Operations, colour, draw, geometry
from fewshot_film.tasks.operations.base import NUMBERS, STEPS

every_kind = pytest.mark.parametrize("kind", KINDS)
PHOTOS = photographs.taken(4, 48)
COUNTS = {kind: KINDS[kind].steps for kind in KINDS}


def of_one_step(kind: str, step: int, count: int) -> Operations:
    """Operations of that step alone, with numbers of their own."""
    drawn = draw(COUNTS[kind], count, seeded(step))
    alone = torch.tensor([step] + [-1] * (STEPS - 1))
    return Operations(alone.expand(count, -1), drawn.numbers)


def test_there_are_ten_kinds_of_step_or_more() -> None:
    assert all(count >= 10 for count in COUNTS.values())
    for steps in (colour.COLOUR, geometry.GEOMETRY):
        assert len({step.__name__ for step in steps}) == len(steps)


def test_operations_have_one_to_three_steps_of_different_kinds() -> None:
    """Each number of them and each kind as often as any other."""
    kinds = draw(10, 3000, seeded()).kinds
    lengths = (kinds >= 0).sum(1)
    times = torch.bincount(lengths, minlength=STEPS + 1).double()
    assert times[0] == 0
    assert ((times[1:] - 1000) ** 2 / 1000).sum() < 13.9
    assert ((kinds >= 0).int().diff(dim=1) <= 0).all(), "none comes before one"
    used = torch.bincount(kinds[kinds >= 0], minlength=10).double()
    assert ((used - used.mean()) ** 2 / used.mean()).sum() < 27.9
    for row in kinds[:200].tolist():
        chosen = [kind for kind in row if kind >= 0]
        assert len(set(chosen)) == len(chosen)


@given(seed=st.integers(0, 2**31), few=st.integers(1, 5), more=st.integers(0, 20))
def test_few_are_the_first_of_many(seed: int, few: int, more: int) -> None:
    first, many = draw(10, few, seeded(seed)), draw(10, few + more, seeded(seed))
    assert torch.equal(many.kinds[:few], first.kinds)
    assert torch.equal(many.numbers[:few], first.numbers)
    assert many.numbers.shape == (few + more, STEPS, NUMBERS)
    assert len(many) == few + more


@every_kind
@pytest.mark.parametrize(("height", "width"), [(32, 32), (7, 7), (9, 14)])
def test_images_stay_images(kind: str, height: int, width: int) -> None:
    images = torch.rand(60, 3, height, width, generator=seeded())
    before = images.clone()
    out = KINDS[kind].applied(draw(COUNTS[kind], 60, seeded()), images, torch.arange(60))
    assert out.shape == images.shape
    assert torch.equal(images, before), "what was given stays"
    assert 0 <= out.min() <= out.max() <= 1


@every_kind
def test_extreme_numbers_give_images_too(kind: str) -> None:
    for value in (0.0, 0.5, 1 - 2**-24):
        for step in range(COUNTS[kind]):
            made = of_one_step(kind, step, len(PHOTOS))
            made = Operations(made.kinds, torch.full_like(made.numbers, value))
            out = KINDS[kind].applied(made, PHOTOS, torch.arange(len(PHOTOS)))
            assert 0 <= out.min() <= out.max() <= 1


@every_kind
def test_an_image_alone_is_as_among_others(kind: str) -> None:
    photos, key = photographs.taken(30, 32), torch.arange(30)
    made = draw(COUNTS[kind], 30, seeded(2))
    together = KINDS[kind].applied(made, photos, key)
    for i in range(30):
        one = torch.tensor([i])
        alone = KINDS[kind].applied(made[one], photos[one], key[one])
        # rounding may move a pixel across a step of quantisation
        assert distance(alone, together[one]) < 1e-4


@every_kind
def test_the_same_operation_does_the_same_to_all(kind: str) -> None:
    """And what it does to one image depends on its key alone."""
    made = draw(COUNTS[kind], 20, seeded(3))
    same, which = PHOTOS[:1].expand(40, -1, -1, -1), torch.arange(20).repeat(2)
    out = KINDS[kind].applied(made[which], same, torch.zeros(40, dtype=torch.int64))
    assert (distance(out[:20], out[20:]) < 1e-4).all()


@every_kind
def test_every_step_is_seen_whatever_its_numbers(kind: str) -> None:
    for step in range(COUNTS[kind]):
        made, photos = of_one_step(kind, step, 40), PHOTOS.repeat(10, 1, 1, 1)
        changed = distance(KINDS[kind].applied(made, photos, torch.arange(40)), photos)
        assert changed.min() > 0.01, step
        assert changed.median() > 0.025, step


@every_kind
def test_operations_are_told_apart(kind: str) -> None:
    """Of pairs that a task may draw, all but a few look different on the same photograph."""
    made, same = draw(COUNTS[kind], 30, seeded(4)), PHOTOS[:1].expand(30, -1, -1, -1)
    out = KINDS[kind].applied(made, same, torch.zeros(30, dtype=torch.int64))
    apart = torch.stack([distance(a[None], b[None])[0] for a, b in combinations(out, 2)])
    assert (apart > 0.03).double().mean() > 0.97


def test_no_steps_leave_an_image_as_it_is() -> None:
    none = Operations(torch.full((4, STEPS), -1), torch.full((4, STEPS, NUMBERS), 0.7))
    assert torch.equal(colour.applied(none, PHOTOS, torch.arange(4)), PHOTOS)
    torch.testing.assert_close(geometry.applied(none, PHOTOS, torch.arange(4)), PHOTOS)


def test_steps_follow_one_another() -> None:
    numbers = torch.rand(4, STEPS, NUMBERS, generator=seeded())
    both = Operations(torch.tensor([[8, 5, -1]]).expand(4, -1), numbers)
    solarised = colour.solarisation(PHOTOS, both.numbers[:, 0], torch.arange(4))
    expected = colour.quantisation(solarised, both.numbers[:, 1], torch.arange(4))
    assert torch.equal(colour.applied(both, PHOTOS, torch.arange(4)), expected)


def test_colour_steps_by_hand() -> None:
    numbers, key = torch.full((4, NUMBERS), 0.5), torch.arange(4)
    neutral = colour.matrix(PHOTOS, numbers, key)
    torch.testing.assert_close(neutral, PHOTOS, rtol=0, atol=1e-6)
    rising = torch.arange(5.0).repeat(3) / 4
    line = torch.cat([rising, torch.zeros(NUMBERS - 15)]).expand(4, -1)
    torch.testing.assert_close(colour.tone(PHOTOS, line, key), PHOTOS)
    halves = colour.tone(torch.full((4, 3, 1, 1), 0.625), line**2, key)
    torch.testing.assert_close(halves, torch.full((4, 3, 1, 1), (0.25 + 0.5625) / 2))
    assert set(colour.quantisation(PHOTOS, 0 * numbers, key).unique().tolist()) == {0.0, 0.5, 1.0}
    flipped = colour.solarisation(PHOTOS, numbers, key)
    assert torch.equal(flipped, torch.where(PHOTOS < 0.45, PHOTOS, 1 - PHOTOS))


def test_a_filter_against_a_loop() -> None:
    numbers = torch.rand(4, NUMBERS, generator=seeded())
    out = colour.kernel(0.4 + 0.1 * PHOTOS, numbers, torch.arange(4))
    for i in range(4):
        weights = 0.8 * (2 * numbers[i, :25] - 1)
        weights = (weights + (1 - weights.sum()) / 25).view(5, 5)
        expected = ((0.4 + 0.1 * PHOTOS[i, :, 8:13, 20:25]) * weights).sum((1, 2)).clamp(0, 1)
        torch.testing.assert_close(out[i, :, 10, 22], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.1, PHOTOS.flip(2)),
        (0.5, PHOTOS.transpose(2, 3)),
        (0.9, PHOTOS.transpose(2, 3).flip(2, 3)),
    ],
)
def test_flips(number: float, expected: torch.Tensor) -> None:
    numbers = torch.full((4, NUMBERS), number)
    out = sampled(PHOTOS, geometry.flip(grid(PHOTOS), numbers))
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-4)


def test_a_crop_stays_in_the_picture() -> None:
    for seed in range(20):
        numbers = torch.rand(4, NUMBERS, generator=seeded(seed))
        window = geometry.crop(grid(PHOTOS), numbers)
        assert window.abs().max() <= 1
        sides = window.flatten(1, 2).amax(1) - window.flatten(1, 2).amin(1)
        torch.testing.assert_close(sides[:, 0], sides[:, 1])
        assert ((sides / 2 > 0.43) & (sides / 2 < 0.76)).all()


def test_a_twist_leaves_the_edge_alone() -> None:
    points = grid(PHOTOS)
    moved = (geometry.twist(points, torch.full((4, NUMBERS), 0.9)) - points).norm(dim=-1)
    outside = points.norm(dim=-1) >= 1
    assert moved[outside].max() < 1e-6
    assert moved[~outside].max() > 0.3


@pytest.mark.gpu
@every_kind
def test_the_device_does_the_same(kind: str) -> None:
    made, photos = draw(COUNTS[kind], 40, seeded()), photographs.taken(40, 64)
    expected = KINDS[kind].applied(made, photos, torch.arange(40))
    there = made.to(torch.device("cuda"))
    found = KINDS[kind].applied(there, photos.cuda(), torch.arange(40, device="cuda"))
    assert found.is_cuda
    assert (distance(found.cpu(), expected) < 1e-3).all()
