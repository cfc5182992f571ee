"""Every law of design.md, for every part of every family: a new part is in them by being there."""

import making
import pytest
from laws import (
    classifiers,
    conditionings,
    encoders,
    extractors,
    generators,
    heads,
    normalizations,
)
from laws.cases import REFUSED, Case
from laws.law import Law
from torch import nn

from fewshot_film.config.config import FAMILIES
from fewshot_film.errors import UsageError

EVERY = tuple(
    module.LAWS
    for module in (
        conditionings,
        normalizations,
        extractors,
        encoders,
        generators,
        heads,
        classifiers,
    )
)


@pytest.mark.parametrize(("law", "case"), [told for laws in EVERY for told in laws.cases()])
def test_law(law: Law, case: Case) -> None:
    law(case)


@pytest.mark.parametrize(("law", "case"), [told for laws in EVERY for told in laws.exceptions()])
def test_an_exception_is_needed(law: Law, case: Case) -> None:
    with pytest.raises(AssertionError):
        law(case)


@pytest.mark.parametrize(
    ("law", "axis", "part"), [told for laws in EVERY for told in laws.violations()]
)
def test_a_law_fails_for_a_part_that_breaks_it(
    law: Law, axis: str, part: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES[axis].parts, "broken", part)
    with pytest.raises(AssertionError):
        law(Case(**{axis: "broken"}))


def test_every_law_has_a_part_that_breaks_it() -> None:
    assert all(law.broken_by for laws in EVERY for law in laws.found)


@pytest.mark.parametrize("choices", REFUSED, ids=lambda choices: "+".join(sorted(choices)))
def test_choices_that_are_refused(choices: frozenset[str]) -> None:
    with pytest.raises(UsageError):
        Case(**dict(choice.split("=", 1) for choice in choices)).model()(making.episode())
