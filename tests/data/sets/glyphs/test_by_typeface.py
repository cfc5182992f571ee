from pathlib import Path

import pytest
import torch

from fewshot_film.data.sets.glyphs import UNSEEN_FAMILIES
from fewshot_film.data.sets.glyphs.by_typeface import BY_TYPEFACE, ENOUGH
from fewshot_film.data.sets.glyphs.load import load
from fewshot_film.data.source import SPLITS


@pytest.mark.parametrize("split", SPLITS)
def test_the_counts_are_those_of_the_source(split: str) -> None:
    data = BY_TYPEFACE.load(Path(), split)
    assert len(data) == BY_TYPEFACE.images[split]
    assert len(data.names) == BY_TYPEFACE.classes[split]
    assert data.domain_names == BY_TYPEFACE.domains


def test_training_knows_no_new_typeface() -> None:
    data = BY_TYPEFACE.load(Path(), "train")
    assert not data.domains.any()
    assert data.names == load(Path(), "train").names


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_new_typeface_is_one_that_training_never_sees(split: str) -> None:
    data, plain = BY_TYPEFACE.load(Path(), split), load(Path(), split)
    new = torch.tensor([name in UNSEEN_FAMILIES for name in plain.domain_names])
    for name in data.names:
        here, there = data.labels == data.names.index(name), plain.labels == plain.names.index(name)
        assert torch.equal(data.domains[here], new[plain.domains[there]].long())
        assert (torch.bincount(data.domains[here], minlength=2) >= ENOUGH).all()
