import torch

from fewshot_film.parts.head.classes import class_means, class_sizes, own, residuals

LABELS = torch.tensor([[1, 0, 1], [2, 2, 2]])
VALUES = torch.tensor([[[1.0, 0.0], [5.0, 5.0], [3.0, 4.0]], [[1.0, 1.0], [2.0, 2.0], [3.0, 0.0]]])


def test_sizes_by_hand() -> None:
    assert class_sizes(LABELS, 3).tolist() == [[1, 2, 0], [0, 0, 3]]


def test_every_example_has_what_its_class_has() -> None:
    found = own(class_means(VALUES, LABELS, 3), LABELS)
    expected = torch.tensor([[[2.0, 2.0], [5.0, 5.0], [2.0, 2.0]], [[2.0, 1.0]] * 3])
    assert torch.equal(found, expected)


def test_what_is_left_over_by_hand() -> None:
    expected = torch.tensor([[[-1.0, -2], [0, 0], [1, 2]], [[-1, 0], [0, 1], [1, -1]]])
    assert torch.equal(residuals(VALUES, LABELS, 3), expected)
