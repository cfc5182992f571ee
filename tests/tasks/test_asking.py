import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.tasks.asking import check_known, check_nuisance, columns, labelled_by

NAMES = ("class", "hue", "size")


def test_places_of_what_is_asked() -> None:
    assert columns(NAMES, None) == [0, 1, 2]
    assert columns(NAMES, ("size", "class")) == [2, 0]


def test_each_task_has_the_labels_of_its_own_factor() -> None:
    factors = torch.tensor([[[0, 5], [1, 6]], [[2, 7], [3, 8]]])
    assert labelled_by(factors, torch.tensor([1, 0])).tolist() == [[5, 6], [2, 3]]


def test_names_that_are_not_there() -> None:
    with pytest.raises(UsageError, match=r"`asked` names 'sise'; known: .* did you mean 'size'\?"):
        columns(NAMES, ["sise"])
    with pytest.raises(UsageError, match="`asked` is empty; name at least one of class, hue, size"):
        columns(NAMES, [])
    with pytest.raises(UsageError, match="`factors` is hue, size, hue; name each once"):
        check_known("factors", ("hue", "size", "hue"), NAMES)
    with pytest.raises(UsageError, match="`nuisance` is 'both'; pass 'crossed' or 'mixed'"):
        check_nuisance("both")
