import re

import pytest

from fewshot_film.config.config import FAMILIES
from fewshot_film.errors import UsageError
from fewshot_film.report.catalogue import paper, parts_listing, summary

PARTS = [(field, name) for field, family in FAMILIES.items() for name in family.names]


def undated() -> None:
    """z -> z."""


def cited_late() -> None:
    """z -> -z (unpublished).

    As in TADAM (Oreshkin et al. 2018).
    """


def test_the_equation_stands_apart_from_its_source() -> None:
    assert summary(cited_late) == "z -> -z (unpublished)."
    assert paper(cited_late) == "Oreshkin et al. 2018"
    assert (summary(undated), paper(undated)) == ("z -> z.", "")


@pytest.mark.parametrize(("field", "name"), PARTS)
def test_every_part_says_what_it_does(field: str, name: str) -> None:
    """Those that are published name somebody, not a year alone."""
    part = FAMILIES[field].parts[name]
    assert len(summary(part)) > 10
    assert not paper(part) or re.search(r"[A-Za-z]{2}.*\b(19|20)\d\d", paper(part))


def test_a_listing_of_one_family() -> None:
    first, *lines = parts_listing("generator").splitlines()
    assert first == "generator"
    assert lines[0] == "  shared:hidden_dim=96"
    assert all(len(line) <= 100 for line in lines)
    assert "(Oreshkin et al. 2018" in " ".join(" ".join(lines).split())
    with pytest.raises(UsageError, match=r"^there is no family 'x'; known: objective, adapter, "):
        parts_listing("x")
