import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_film.base.values import Above, AtLeast, AtMost, OneOf, checked, read, written
from fewshot_film.errors import UsageError

Count = Annotated[int, AtLeast(1)]
Rate = Annotated[float, Above(0)]
MaybeCount = Annotated[int | None, AtLeast(1)]
CountOrNone = Annotated[int, AtLeast(1)] | None
MaybeRate = Annotated[float | None, AtLeast(0)]
Share = Annotated[float | None, Above(0), AtMost(1)]
Channels = Annotated[int, OneOf(((1, "grey"), (3, "colour")))]
Word = Literal["flat", "average"]


# --- values


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, Count),
        (10**30, Count),
        (1e-300, Rate),
        (None, MaybeCount),
        (None, CountOrNone),
        (5, MaybeCount),
        (5, CountOrNone),
        (None, MaybeRate),
        (0.0, MaybeRate),
        (1.0, Share),
        (None, Share),
        (3, Channels),
        ("flat", Word),
        ("flat", Word | None),
        (None, Word | None),
        (True, bool),
        (False, bool | None),
        ("none", str),
        ("", str | None),
        (-7, int),
        (-7.5, float),
        ("film", Annotated[str, "what is beside it means nothing here"]),
    ],
)
def test_what_fits_comes_back_as_it_is(value: Any, hint: Any) -> None:
    found = checked("x", value, hint)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        # bounds
        (0, Count, "`x` is 0; it must be at least 1"),
        (0, MaybeCount, "`x` is 0; it must be at least 1"),
        (0, CountOrNone, "`x` is 0; it must be at least 1"),
        (-0.5, MaybeRate, "`x` is -0.5; it must be at least 0"),
        (0.0, Rate, "`x` is 0.0; it must be above 0"),
        (0, Rate, "`x` is 0.0; it must be above 0"),
        (math.inf, Rate, "`x` is inf; it must be above 0"),
        (math.nan, Rate, "`x` is nan; it must be above 0"),
        (math.inf, MaybeRate, "`x` is inf; it must be at least 0"),
        (math.nan, MaybeRate, "`x` is nan; it must be at least 0"),
        (1.5, Share, "`x` is 1.5; it must be at most 1"),
        (0.0, Share, "`x` is 0.0; it must be above 0"),
        (2, Channels, r"`x` is 2; pass 1 \(grey\) or 3 \(colour\)"),
        # types
        ("5", Count, "`x` is '5'; it must be a whole number"),
        (5.0, Count, "`x` is 5.0; it must be a whole number"),
        (None, Count, "`x` is None; it must be a whole number"),
        (5.0, MaybeCount, "`x` is 5.0; it must be a whole number or none"),
        ("5", CountOrNone, "`x` is '5'; it must be a whole number or none"),
        ("0.5", MaybeRate, "`x` is '0.5'; it must be a number or none"),
        (None, Rate, "`x` is None; it must be a number"),
        (1, bool, "`x` is 1; it must be yes or no"),
        ("yes", bool, "`x` is 'yes'; it must be yes or no"),
        (5, str, "`x` is 5; it must be text"),
        (None, str, "`x` is None; it must be text"),
        (5, str | None, "`x` is 5; it must be text or none"),
        ("round", Word, "`x` is 'round'; it must be 'flat' or 'average'"),
        (None, Word, "`x` is None; it must be 'flat' or 'average'"),
        ("round", Word | None, "`x` is 'round'; it must be 'flat' or 'average' or none"),
        ([1], Count, r"`x` is \[1\]; it must be a whole number"),
    ],
)
def test_what_does_not_fit_is_named(value: Any, hint: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        checked("x", value, hint)


@pytest.mark.parametrize("hint", [Count, Rate, MaybeCount, CountOrNone, MaybeRate, Channels])
@pytest.mark.parametrize("value", [True, False])
def test_yes_and_no_are_no_numbers(value: bool, hint: Any) -> None:
    with pytest.raises(UsageError, match=f"`x` is {value}; it must be a "):
        checked("x", value, hint)


@pytest.mark.parametrize("hint", [float, Rate, MaybeRate, float | None])
def test_a_whole_number_is_taken_for_a_float(hint: Any) -> None:
    found = checked("x", 3, hint)
    assert found == 3
    assert type(found) is float


@given(least=st.integers(-50, 50), value=st.integers(-99, 99))
def test_at_least_and_above_and_at_most(least: int, value: int) -> None:
    for bound, fits in (
        (AtLeast(least), value >= least),
        (Above(least), value > least),
        (AtMost(least), value <= least),
    ):
        for hint in (Annotated[int, bound], Annotated[float | None, bound]):
            if fits:
                assert checked("x", value, hint) == value
            else:
                with pytest.raises(UsageError, match=f"^`x` is {value}.* must be .* {least}$"):
                    checked("x", value, hint)


def test_every_bound_holds() -> None:
    hint = Annotated[int, AtLeast(1), OneOf(((0, "none"), (2, "two")))]
    assert checked("x", 2, hint) == 2
    for value, message in ((0, "at least 1"), (3, r"pass 0 \(none\) or 2 \(two\)")):
        with pytest.raises(UsageError, match=message):
            checked("x", value, hint)


# --- words


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("yes", bool, True),
        ("true", bool, True),
        ("no", bool, False),
        ("false", bool, False),
        ("none", bool | None, None),
        ("no", bool | None, False),
        ("5", Count, 5),
        ("none", MaybeCount, None),
        ("none", CountOrNone, None),
        ("5", CountOrNone, 5),
        ("3", Channels, 3),
        ("5", Rate, 5.0),
        ("0.5", Rate, 0.5),
        ("1e-3", Rate, 0.001),
        ("0", MaybeRate, 0.0),
        ("none", MaybeRate, None),
        ("flat", Word, "flat"),
        ("film", str, "film"),
        ("none", str, "none"),
        ("none", str | None, None),
        ("5", str | None, "5"),
        ("yes", str, "yes"),
    ],
)
def test_a_word_is_read_by_its_annotation(text: str, hint: Any, expected: Any) -> None:
    found = read("x", text, hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "hint", "message"),
    [
        ("maybe", bool, "`x` is 'maybe'; it must be yes or no"),
        ("1", bool, "`x` is '1'; it must be yes or no"),
        ("", bool, "`x` is ''; it must be yes or no"),
        ("none", bool, "`x` is 'none'; it must be yes or no"),
        ("five", Count, "`x` is 'five'; it must be a whole number"),
        ("5.0", Count, "`x` is '5.0'; it must be a whole number"),
        ("none", Count, "`x` is 'none'; it must be a whole number"),
        ("yes", Count, "`x` is 'yes'; it must be a whole number"),
        ("", MaybeCount, "`x` is ''; it must be a whole number or none"),
        ("9" * 5000, Count, "`x` is '9+'; it must be a whole number"),
        ("0", MaybeCount, "`x` is 0; it must be at least 1"),
        ("much", Rate, "`x` is 'much'; it must be a number"),
        ("0", Rate, "`x` is 0.0; it must be above 0"),
        ("nan", Rate, "`x` is nan; it must be above 0"),
        ("inf", MaybeRate, "`x` is inf; it must be at least 0"),
        ("1e999", Rate, "`x` is inf; it must be above 0"),
        ("2", Channels, r"`x` is 2; pass 1 \(grey\) or 3 \(colour\)"),
        ("Flat", Word, "`x` is 'Flat'; it must be 'flat' or 'average'"),
    ],
)
def test_a_word_that_is_none_of_its_annotation(text: str, hint: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        read("x", text, hint)


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (bool, st.booleans()),
        (bool | None, st.none() | st.booleans()),
        (int, st.integers()),
        (MaybeCount, st.none() | st.integers(1)),
        (float, st.floats(allow_nan=False)),
        (MaybeRate, st.none() | st.floats(0, allow_infinity=False)),
        (str, st.text("none yes:=,5")),
        (Word, st.sampled_from(["flat", "average"])),
    ],
)
@given(data=st.data())
def test_what_is_written_is_read_as_it_was(
    hint: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    found = read("x", written(value), hint)
    assert found == value
    assert type(found) is type(value)
