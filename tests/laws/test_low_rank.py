"""A mechanism with matrices for parameters, and an option, is in every law by being in its family.

The laws of design.md once took every parameter for one number a channel, and failed it.
"""

from typing import Any

import making
import pytest
from laws import classifiers, conditionings, extractors
from laws.cases import Case
from laws.law import Law
from laws.low_rank import LowRank

from fewshot_film.config.config import Config
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import CONDITIONINGS

CASE = Case(conditioning="low-rank:rank=2")
EVERY = [law for group in (conditionings, extractors, classifiers) for law in group.LAWS.found]


@pytest.fixture(autouse=True)
def in_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONDITIONINGS.parts, "low-rank", LowRank)


@pytest.mark.parametrize("law", [pytest.param(law, marks=law.marks, id=str(law)) for law in EVERY])
def test_low_rank_keeps_every_law(law: Law) -> None:
    assert law.holds_for(CASE)
    law(CASE)


@pytest.mark.parametrize("others", [{"generator": "per-site"}, {"normalization": "meta"}])
def test_with_other_parts(others: dict[str, Any]) -> None:
    for law in classifiers.LAWS.found:
        if not (law.gpu or law.costly):
            law(Case(conditioning="low-rank", **others))


def test_its_option_reaches_the_sites() -> None:
    net = CASE.net()
    assert {p["left"].shape for p in net.identity().values()} == {(4, 2)}
    model = making.classifier(conditioning="low-rank")
    assert {p["left"].shape[1] for p in model.features.extractor.identity().values()} == {1}


def test_a_config_names_it() -> None:
    assert Config(conditioning="low-rank:rank=2").conditioning == "low-rank:rank=2"
    assert Config(conditioning="low-rank:rank=1").conditioning == "low-rank"
    with pytest.raises(UsageError, match="`conditioning=low-rank:rank` is 0; it must be at least"):
        Config(conditioning="low-rank:rank=0")
    with pytest.raises(UsageError, match="has no option 'rnak'; known: rank; did you mean 'rank'"):
        Config(conditioning="low-rank:rnak=2")
