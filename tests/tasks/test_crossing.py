from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded

from fewshot_film.errors import UsageError
from fewshot_film.tasks.crossing import crossed, diagonals, draw_grid


@given(
    seed=st.integers(0, 2**31),
    way=st.integers(2, 6),
    each=st.integers(1, 8),
    columns=st.integers(0, 3),
)
def test_levels_are_balanced_over_all_and_in_every_class(
    seed: int, way: int, each: int, columns: int
) -> None:
    levels = crossed(2, way, each, columns, seeded(seed))
    assert levels.shape == (2, way * each, 1 + columns)
    assert torch.equal(levels[0, :, 0], torch.arange(way).repeat_interleave(each))
    for task in levels.unflatten(1, (way, each)):
        for column in range(1, 1 + columns):
            times = torch.stack([torch.bincount(row, minlength=way) for row in task[..., column]])
            assert (times.sum(0) == each).all()
            assert (times.amax(1) - times.amin(1) <= 1).all(), "in every class"
            assert (times.amax(0) - times.amin(0) <= 1).all(), "and the classes at every level"


@given(seed=st.integers(0, 2**31), way=st.integers(2, 6), first=st.integers(1, 7))
def test_any_part_of_a_diagonal_is_balanced(seed: int, way: int, first: int) -> None:
    rows = diagonals(1, way, first + 5, 1, seeded(seed))[0, :, :, 0]
    for part in (rows[:, :first], rows[:, first:]):
        assert (torch.bincount(part.flatten(), minlength=way) == part.shape[1]).all()
    whole = torch.arange(way) * way
    for start in range(first + 6 - way):
        block = rows[:, start : start + way] + whole.unsqueeze(1)
        assert len(block.unique()) == way**2, "every pair once"


def test_two_columns_are_independent() -> None:
    """Over many tasks, every pair of levels comes equally often, that of a class and one too."""
    levels = crossed(3000, 5, 2, 3, seeded())
    for a, b in combinations(range(4), 2):
        times = torch.bincount((levels[..., a] * 5 + levels[..., b]).flatten(), minlength=25)
        assert ((times.double() - 1200) ** 2 / 1200).sum() < 52


def test_where_in_a_class_a_level_comes_tells_nothing() -> None:
    levels = crossed(3000, 3, 3, 1, seeded())[..., 1].view(3000, 3, 3)
    for place in range(3):
        times = torch.bincount(levels[:, 0, place], minlength=3).double()
        assert ((times - 1000) ** 2 / 1000).sum() < 13.9


def test_grids_fit() -> None:
    """Two blocks that share nothing, and a row of too few columns: every grid lies in one block."""
    fit = torch.zeros(8, 9, dtype=torch.bool)
    fit[:3, :4], fit[3:7, 4:], fit[7, :2] = True, True, True
    rows, columns = draw_grid(fit, 2000, 3, seeded())
    assert fit[rows.unsqueeze(2), columns.unsqueeze(1)].all()
    for drawn in (rows, columns):
        assert (drawn.sort(1).values.diff(dim=1) > 0).all(), "distinct"
    assert set(rows.flatten().tolist()) == set(range(7))
    assert set(columns.flatten().tolist()) == set(range(9))


def test_whole_grids_are_drawn_evenly() -> None:
    rows, columns = draw_grid(torch.ones(5, 4, dtype=torch.bool), 6000, 2, seeded())
    pairs = torch.bincount((rows[:, 0] * 5 + rows[:, 1]), minlength=25).double()
    assert ((pairs[pairs > 0] - 300) ** 2 / 300).sum() < 43.8
    assert int((pairs > 0).sum()) == 20
    times = torch.bincount(columns.flatten(), minlength=4).double()
    assert ((times - 3000) ** 2 / 3000).sum() < 16.3


def test_gaps_that_leave_no_grid_are_told() -> None:
    fit = ~torch.eye(4, dtype=torch.bool)
    with pytest.raises(UsageError, match=r"too few images for 3 x 3 .* smaller `way`"):
        draw_grid(fit, 5, 3, seeded())
