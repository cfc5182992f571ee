from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_film.base.family import Family, needs, options_of
from fewshot_film.base.values import Above, AtLeast, AtMost, First, checked
from fewshot_film.config.config import FAMILIES
from fewshot_film.errors import UsageError

EVERY = [(field, name) for field, family in FAMILIES.items() for name in family.names]
every_part = pytest.mark.parametrize(("field", "name"), EVERY)


# --- a family by hand


@dataclass
class Cup:
    size: int
    handles: int
    lid: bool
    material: str = ""


def mug(size: int, *, handles: Annotated[int, AtLeast(0)] = 1, lid: bool = False) -> Cup:
    return Cup(size, handles, lid)


class Goblet(Cup):
    def __init__(self, size: int, material: str, *, lid: bool = True) -> None:
        super().__init__(size, 0, lid, material)


def thimble() -> Cup:
    return Cup(0, 0, False)


CUPS: Family[Cup] = Family("cup", ("size", "material"), tea_mug=mug, goblet=Goblet, thimble=thimble)


def test_a_name_stands_once_and_is_spelled_with_hyphens() -> None:
    assert CUPS.names == tuple(CUPS.parts) == ("tea-mug", "goblet", "thimble")
    assert CUPS.parts["tea-mug"] is mug
    assert CUPS.read("goblet").part is Goblet


def test_a_part_takes_what_it_needs_of_what_there_is() -> None:
    there = {"size": 3, "material": "tin"}
    assert CUPS.read("tea-mug")(**there) == Cup(3, 1, False)
    assert CUPS.read("goblet")(**there) == Goblet(3, "tin")
    assert CUPS.read("thimble")(**there) == Cup(0, 0, False)
    found = {name: [CUPS.read(name).takes(what) for what in there] for name in CUPS.names}
    assert found == {"tea-mug": [True, False], "goblet": [True, True], "thimble": [False, False]}
    assert not CUPS.read("tea-mug").takes("handles"), "that is an option"
    assert needs(Goblet) == ("size", "material")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tea-mug", Cup(3, 1, False)),
        ("tea-mug:", Cup(3, 1, False)),
        ("tea-mug:handles=2", Cup(3, 2, False)),
        ("tea-mug:lid=yes,handles=0", Cup(3, 0, True)),
        ("tea-mug:lid", Cup(3, 1, True)),
        ("tea-mug:lid,handles=2", Cup(3, 2, True)),
        ("goblet:lid=no", Goblet(3, "tin", lid=False)),
    ],
)
def test_options_are_read_behind_the_name(text: str, expected: Cup) -> None:
    assert CUPS.read(text)(size=3, material="tin") == expected


def test_what_is_at_its_default_is_left_out() -> None:
    assert str(CUPS.read("tea-mug:lid=false,handles=1")) == "tea-mug"
    assert CUPS.read("tea-mug:lid=no") == CUPS.read("tea-mug")
    assert str(CUPS.read("tea-mug:lid=true,handles=2")) == "tea-mug:handles=2,lid=yes"
    assert CUPS.read("goblet") != CUPS.read("goblet:lid=no")


def test_a_choice_by_values_is_that_by_words() -> None:
    assert CUPS.choose("tea-mug", {"lid": True, "handles": 2}) == CUPS.read("tea-mug:lid,handles=2")
    assert CUPS.choose("tea-mug", {"lid": "yes", "handles": "2"}) == CUPS.read(
        "tea-mug:lid,handles=2"
    )
    assert CUPS.choose("tea-mug", {}) == CUPS.read("tea-mug")


def test_the_value_of_an_option() -> None:
    choice = CUPS.read("tea-mug:handles=2")
    assert (choice.option("handles"), choice.option("lid")) == (2, False)
    assert choice.set_options == (("handles", 2),)
    with pytest.raises(KeyError, match="size"):
        choice.option("size")


def test_a_maker_is_the_part_with_its_options() -> None:
    """It is called as the part is, by place too; without options it is the part itself."""
    assert CUPS.read("goblet").maker is Goblet
    assert CUPS.read("goblet:lid=yes").maker is Goblet
    made = CUPS.read("tea-mug:handles=2").maker(3)
    assert made == Cup(3, 2, False)
    maker = CUPS.read("goblet:lid=no").maker
    assert isinstance(maker, partial)
    assert maker(3, material="tin") == Goblet(3, "tin", lid=False)


# --- an option that may come first, without its name


def flask(
    *, liquid: Annotated[str, First()] = "water", millilitres: int = 50, corked: bool = True
) -> str:
    return f"{millilitres} {liquid} {corked}"


FLASKS: Family[object] = Family("flask", (), flask=flask, plain=thimble)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flask", "50 water True"),
        ("flask:ink", "50 ink True"),
        ("flask:liquid=ink", "50 ink True"),
        ("flask:ink,millilitres=3", "3 ink True"),
        ("flask:ink,corked=no,millilitres=3", "3 ink False"),
        ("flask:millilitres=3,liquid=ink", "3 ink True"),
        ("flask:ink.py:make", "50 ink.py:make True"),
        ("flask:water", "50 water True"),
    ],
)
def test_the_first_option_needs_no_name(text: str, found: str) -> None:
    choice = FLASKS.read(text)
    assert choice() == found
    assert FLASKS.read(str(choice)) == choice


def test_it_is_written_with_its_name() -> None:
    assert str(FLASKS.read("flask:ink")) == "flask:liquid=ink"
    assert str(FLASKS.read("flask:ink,corked=no")) == "flask:corked=no,liquid=ink"
    assert str(FLASKS.read("flask:water")) == "flask"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flask:millilitres=3,ink", "flask flask has no option 'ink'; known: liquid, millilitres"),
        ("flask:ink,tar", "flask flask has no option 'tar'; known: liquid, millilitres, corked"),
        ("flask:ink,liquid=tar", "flask flask is given 'liquid' twice; leave one out"),
        ("flask:ink,millilitres=ink", "millilitres` is 'ink'; it must be a whole number"),
        ("plain:ink", "flask plain has no option 'ink'; it has no options"),
    ],
)
def test_only_the_first_word_needs_no_name(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FLASKS.read(text)


def test_networks_of_others_are_named_first() -> None:
    extractors = FAMILIES["extractor"]
    for short, option in (("timm:resnet18d", "name"), ("torchvision:resnet34", "name")):
        name, _, value = short.partition(":")
        choice = extractors.read(short)
        assert choice == extractors.read(f"{name}:{option}={value}")
        assert choice.option(option) == value
    assert extractors.read("timm:resnet18") == extractors.read("timm")
    assert extractors.read("file:net.py:make,sites=all").option("path") == "net.py:make"


# --- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gobblet", "unknown cup 'gobblet'; known: tea-mug, goblet, thimble; did you mean 'goblet"),
        ("x:lid", "unknown cup 'x'; known: tea-mug, goblet, thimble$"),
        ("tea_mug", "did you mean 'tea-mug'"),
        ("", "unknown cup ''; known: tea-mug"),
        (
            "tea-mug:handels=2",
            "has no option 'handels'; known: handles, lid; did you mean 'handles",
        ),
        ("tea-mug:material=tin", "cup tea-mug has no option 'material'; known: handles, lid$"),
        ("tea-mug:size=3", "cup tea-mug has no option 'size'"),
        ("thimble:lid", "cup thimble has no option 'lid'; it has no options$"),
        ("tea-mug:handles=-1", "`cup=tea-mug:handles` is -1; it must be at least 0"),
        ("tea-mug:handles=two", "`cup=tea-mug:handles` is 'two'; it must be a whole number"),
        ("tea-mug:handles", "`cup=tea-mug:handles` is 'yes'; it must be a whole number"),
        ("tea-mug:lid=maybe", "`cup=tea-mug:lid` is 'maybe'; it must be yes or no"),
        ("tea-mug:handles=2,handles=3", "cup tea-mug is given 'handles' twice; leave one out"),
        ("tea-mug:=2", "cup tea-mug has no option ''"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CUPS.read(text)


def test_values_are_checked_as_words_are() -> None:
    with pytest.raises(UsageError, match="handles` is -1; it must be at least 0"):
        CUPS.choose("tea-mug", {"handles": -1})
    with pytest.raises(UsageError, match="handles` is True; it must be a whole number"):
        CUPS.choose("tea-mug", {"handles": True})
    with pytest.raises(UsageError, match="has no option 'hands'; known: handles, lid; did you"):
        CUPS.choose("tea-mug", {"hands": 1})


@pytest.mark.parametrize(
    ("given_names", "message"),
    [
        (("size",), "^the cup goblet takes 'material', and is given size; make it an option"),
        ((), "^the cup goblet takes 'size', and is given nothing; make it an option"),
    ],
)
def test_a_part_asks_for_nothing_that_its_family_does_not_give(
    given_names: tuple[str, ...], message: str
) -> None:
    """The mistake is of who wrote the part, so it is no UsageError; the other parts are fine."""
    family: Family[Cup] = Family("cup", given_names, goblet=Goblet, thimble=thimble)
    assert family.read("thimble")() == thimble()
    with pytest.raises(TypeError, match=message):
        family.read("goblet")


# --- every family


@every_part
def test_every_part_asks_for_what_it_is_given(field: str, name: str) -> None:
    family = FAMILIES[field]
    assert set(needs(family.parts[name])) <= set(family.given)
    assert str(family.read(name)) == name
    assert family.choose(name, {}) == family.read(name)


@every_part
def test_every_option_has_a_default_of_its_type_and_in_its_bounds(field: str, name: str) -> None:
    for option, (default, hint) in options_of(FAMILIES[field].parts[name]).items():
        assert default is not Parameter.empty, option
        found = checked(option, default, hint)
        assert (found, type(found)) == (default, type(default)), option


@every_part
@settings(max_examples=25)
@given(data=st.data())
def test_a_choice_is_read_as_it_is_written(field: str, name: str, data: st.DataObject) -> None:
    """Whatever the order of its options."""
    family = FAMILIES[field]
    drawn = data.draw(options(family.parts[name]))
    choice = family.choose(name, drawn)
    assert family.read(str(choice)) == choice
    assert str(family.read(str(choice))) == str(choice)
    words = str(choice).removeprefix(name).removeprefix(":").split(",")
    assert family.read(f"{name}:{','.join(reversed(words))}") == choice
    for option, (default, _) in options_of(family.parts[name]).items():
        value = drawn.get(option, default)
        assert choice.option(option) == value
        assert (option in dict(choice.set_options)) == (value != default)


def options(part: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the part's options, each with a value of its type and in its bounds."""
    each = {option: values(hint) for option, (_, hint) in options_of(part).items()}
    return st.fixed_dictionaries({}, optional=each)


def values(hint: Any) -> st.SearchStrategy[Any]:
    kind, *beside = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    kinds = get_args(kind) or (kind,)
    least = next((b.least for b in beside if isinstance(b, AtLeast)), None)
    above = next((b.bound for b in beside if isinstance(b, Above)), None)
    lowest = least if least is not None else above
    most = next((b.most for b in beside if isinstance(b, AtMost)), None)
    of = {
        NoneType: st.none(),
        bool: st.booleans(),
        int: st.integers(min_value=lowest if lowest is None else int(lowest)),
        float: st.floats(
            min_value=lowest,
            max_value=most,
            exclude_min=above is not None,
            allow_nan=False,
            allow_infinity=False,
        ),
        # a comma would end the option
        str: st.text(st.characters(exclude_characters=",", exclude_categories=["Cs"])),
    }
    return st.one_of(*(of[k] for k in kinds))


def untyped(size: int, *, handles=1) -> Cup:  # type: ignore[no-untyped-def]
    return Cup(size, handles, False)


def without_default(size: int, *, handles: int) -> Cup:
    return Cup(size, handles, False)


def out_of_bounds(size: int, *, handles: Annotated[int, AtLeast(1)] = 0) -> Cup:
    return Cup(size, handles, False)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (untyped, "the cup odd has an option 'handles' without a default or a type; give it both"),
        (without_default, "the cup odd has an option 'handles' without a default or a type"),
        (out_of_bounds, "the cup odd has an option whose default is refused: `handles` is 0; it m"),
    ],
)
def test_the_author_of_a_part_is_told_what_its_option_lacks(
    part: Callable[..., Cup], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Family("cup", ("size",), odd=part).read("odd")
