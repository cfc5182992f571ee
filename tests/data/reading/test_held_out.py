import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import numbers

from fewshot_film.data.reading.held_out import every_tenth, train_and_val
from fewshot_film.errors import UsageError


def test_by_hand() -> None:
    cells = torch.tensor([1, 0, 1, *[0] * 10, 1])
    assert every_tenth(cells).nonzero().squeeze(1).tolist() == [0, 1, 12]


@given(cells=st.lists(st.integers(0, 4), min_size=1, max_size=80))
def test_the_first_of_every_ten_in_each_cell(cells: list[int]) -> None:
    expected = [cells[:i].count(cell) % 10 == 0 for i, cell in enumerate(cells)]
    assert every_tenth(torch.tensor(cells)).tolist() == expected


@given(seed=st.integers(0, 2**31))
def test_every_image_is_in_one_of_both(seed: int) -> None:
    data = making.image_set([40, 60, 90], domains=2, seed=seed)
    parts = train_and_val(data)
    found = [numbers(parts[split].images / 255).tolist() for split in ("train", "val")]
    assert sorted(found[0] + found[1]) == list(range(190))
    for part in parts.values():
        assert torch.bincount(part.labels * 2 + part.domains, minlength=6).min() > 0
        number = numbers(part.images / 255)
        assert torch.equal(part.labels, data.labels[number])
        assert torch.equal(part.domains, data.domains[number])


def test_a_single_image_cannot_be_divided() -> None:
    data = making.image_set([9, 1])
    with pytest.raises(
        UsageError, match="class 'class1' has 1 images in the domain 'domain0', train and val need"
    ):
        train_and_val(data)
