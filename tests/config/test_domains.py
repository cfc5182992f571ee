from itertools import combinations

import making
import pytest

from fewshot_film.config.domains import in_domains, learned_and_tested, named_domains
from fewshot_film.errors import UsageError

ALL = ("mnist", "usps", "svhn", "mnist-m")
SOME = [list(names) for count in (1, 2, 3) for names in combinations(ALL, count)]


def parts(learned: str | None = None, tested: str | None = None) -> list[tuple[str, ...]]:
    """The domains that are learned from, and those that are tested."""
    return list(learned_and_tested("digits", ALL, learned, tested))


# --- laws


@pytest.mark.parametrize("names", SOME, ids=",".join)
def test_one_part_named_leaves_the_rest_to_the_other(names: list[str]) -> None:
    rest = tuple(name for name in ALL if name not in names)
    assert parts(learned=",".join(names)) == [tuple(names), rest]
    assert parts(tested=",".join(names)) == [rest, tuple(names)]


@pytest.mark.parametrize("names", SOME, ids=",".join)
def test_what_is_tested_is_never_learned_from(names: list[str]) -> None:
    for asked in ((",".join(names), None), (None, ",".join(names))):
        learned, tested = parts(*asked)
        assert set(learned) | set(tested) == set(ALL)
        assert not set(learned) & set(tested)


# --- by hand


def test_both_parts_named() -> None:
    """In the order given, spaces aside; a domain that is in neither is left out."""
    assert parts("usps, mnist", "svhn") == [("usps", "mnist"), ("svhn",)]


def test_the_images_of_some_domains() -> None:
    data = making.image_set([20, 20], domains=3)
    chosen = in_domains(data, ("domain2", "domain0"))
    assert chosen.domain_names == ("domain2", "domain0")
    found = set(making.numbers(chosen.images.float() / 255).tolist())
    assert found == set((data.domains != 1).nonzero().flatten().tolist())
    assert in_domains(data, ()) is data


def test_data_sets_without_domains() -> None:
    assert learned_and_tested("glyphs", (), None, None) == ((), ())


def test_domains_are_named_with_commas_between_them() -> None:
    assert named_domains("domains", "usps,svhn", "digits", ALL) == ("usps", "svhn")
    assert named_domains("domains", None, "digits", ALL) == ()
    with pytest.raises(UsageError, match=r"^`domains` MNIST: digits has no domain 'MNIST'; it ha"):
        named_domains("domains", "MNIST", "digits", ALL)


# --- what cannot be


@pytest.mark.parametrize(
    ("learned", "tested", "says"),
    [
        (
            None,
            None,
            "digits is tested on domains that training does not see; name some of mnist",
        ),
        (None, None, "usps, svhn, mnist-m with `test_domains`, or in an evaluation with `domains`"),
        ("mnist,usps", "usps", "the domain 'usps' is both learned from and tested on; leave it ou"),
        ("mnist", "mnist", "leave it out of `train_domains`, or name others with `test_domains`"),
        ("mnits", None, "`train_domains` mnits: digits has no domain 'mnits'; it has mnist, usps"),
        (None, "usps,x", "`test_domains` usps,x: digits has no domain 'x'; it has mnist, usps, s"),
        ("mnist,", None, "`train_domains` mnist,: digits has no domain ''; it has mnist"),
        (",".join(ALL), None, "no domain is left to learn from or to test on; name fewer"),
        (None, ",".join(ALL), "no domain is left to learn from or to test on; name fewer"),
    ],
)
def test_parts_that_cannot_be(learned: str | None, tested: str | None, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parts(learned, tested)
    assert says in str(error.value)


@pytest.mark.parametrize("argument", ["train_domains", "test_domains"])
def test_domains_of_a_data_set_that_has_none(argument: str) -> None:
    named = ("a", None) if argument == "train_domains" else (None, "a")
    with pytest.raises(UsageError, match=rf"^`{argument}` a: omniglot is not divided by domains$"):
        learned_and_tested("omniglot", (), *named)


def test_a_domain_named_twice() -> None:
    data = making.image_set([20, 20], domains=2)
    with pytest.raises(UsageError, match="name each once"):
        in_domains(data, ("domain0", "domain0"))
