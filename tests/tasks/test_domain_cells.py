import making
import pytest
import torch
from making import numbers, seeded

from fewshot_film.errors import UsageError
from fewshot_film.tasks.domain_cells import DomainCells, draw_domain_and_classes, eligible_classes

DATA = making.image_set([9, 4, 6], domains=3)
FIT = torch.tensor([[True, True, False], [True, False, False], [False, True, False]])


def test_the_images_of_every_cell() -> None:
    cells = DomainCells(DATA)
    for c in range(3):
        for d in range(3):
            rows = torch.arange(int(cells.counts[c, d])).view(1, 1, -1)
            index = cells.images(torch.tensor([[c]]), torch.tensor([[d]]), rows)
            expected = ((DATA.labels == c) & (DATA.domains == d)).nonzero().squeeze(1)
            assert index.flatten().tolist() == expected.tolist()


def test_labels_are_places_in_the_task() -> None:
    index = torch.tensor([[[4, 2], [7, 1]], [[0, 3], [9, 8]]])
    labeled = DomainCells(DATA).labeled(index)
    assert numbers(labeled.images).tolist() == [[4, 2, 7, 1], [0, 3, 9, 8]]
    assert labeled.labels.tolist() == [[0, 0, 1, 1]] * 2


def test_eligible_classes_by_hand() -> None:
    eligible = eligible_classes(FIT, 2, "some images")
    assert eligible.tolist() == [[True, True, False], [True, False, True], [False] * 3]
    with pytest.raises(UsageError, match="no domain has 3 classes with some images; pass a sma"):
        eligible_classes(FIT, 3, "some images")


def test_only_what_is_eligible_is_drawn() -> None:
    domain, classes = draw_domain_and_classes(eligible_classes(FIT, 2, ""), 50, 2, seeded())
    assert set(domain.flatten().tolist()) == {0, 1}
    for d, drawn in zip(domain.flatten().tolist(), classes.tolist(), strict=True):
        assert set(drawn) == ({0, 1} if d == 0 else {0, 2})
