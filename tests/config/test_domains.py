from itertools import combinations
from pathlib import Path
from typing import Any

import making
import pytest

from fewshot_film.config.config import Config
from fewshot_film.config.domains import domains_of, in_domains, known_domains, named_domains
from fewshot_film.errors import UsageError

ALL = ("mnist", "usps", "svhn", "mnist-m")
SOME = [list(names) for count in (1, 2, 3) for names in combinations(ALL, count)]


def parts(learned: str | None = None, tested: str | None = None) -> list[tuple[str, ...]]:
    """The domains of train, val and test on digits."""
    config = Config(dataset="digits", train_domains=learned, test_domains=tested)
    return [domains_of(config, split) for split in ("train", "val", "test")]


# --- laws


@pytest.mark.parametrize("names", SOME, ids=",".join)
def test_one_part_named_leaves_the_rest_to_the_other(names: list[str]) -> None:
    rest = tuple(name for name in ALL if name not in names)
    assert parts(learned=",".join(names)) == [tuple(names), tuple(names), rest]
    assert parts(tested=",".join(names)) == [rest, rest, tuple(names)]


@pytest.mark.parametrize("names", SOME, ids=",".join)
def test_what_is_tested_is_never_learned_from(names: list[str]) -> None:
    for learned, tested in combinations([n.split(",") for n in ALL], 2):
        train, val, test = parts(",".join(learned), ",".join(tested))
        assert train == val
        assert not set(train) & set(test)
    train, val, test = parts(tested=",".join(names))
    assert set(train) | set(test) == set(ALL)
    assert not set(train) & set(test)
    assert val == train


# --- by hand


def test_both_parts_named() -> None:
    """In the order given, spaces aside; a domain that is in neither is left out."""
    assert parts("usps, mnist", "svhn") == [("usps", "mnist"), ("usps", "mnist"), ("svhn",)]


def test_the_images_of_some_domains() -> None:
    data = making.image_set([20, 20], domains=3)
    chosen = in_domains(data, ("domain2", "domain0"))
    assert chosen.domain_names == ("domain2", "domain0")
    found = set(making.numbers(chosen.images.float() / 255).tolist())
    assert found == set((data.domains != 1).nonzero().flatten().tolist())
    assert in_domains(data, ()) is data


@pytest.mark.parametrize("config", [Config(), Config(dataset="cifar-fs"), Config(data="nowhere")])
def test_data_sets_without_domains(config: Config) -> None:
    """A folder is not looked into for that."""
    assert known_domains(config) == ()
    assert all(domains_of(config, split) == () for split in ("train", "val", "test"))


def test_an_evaluation_names_domains_under_a_flag_of_its_own() -> None:
    digits = Config(dataset="digits")
    assert named_domains("--domains", "usps,svhn", digits) == ("usps", "svhn")
    assert named_domains("--domains", None, digits) == ()
    with pytest.raises(UsageError, match=r"^--domains MNIST: digits has no domain 'MNIST'; it ha"):
        named_domains("--domains", "MNIST", digits)


# --- what cannot be


@pytest.mark.parametrize(
    ("learned", "tested", "says"),
    [
        (
            None,
            None,
            "digits is tested on domains that training does not see; name some of mnist",
        ),
        (None, None, "usps, svhn, mnist-m with --test-domains, or in an evaluation with --domains"),
        ("mnist,usps", "usps", "the domain 'usps' is both learned from and tested on; leave it ou"),
        ("mnist", "mnist", "leave it out of --train-domains, or name others with --test-domains"),
        ("mnits", None, "--train-domains mnits: digits has no domain 'mnits'; it has mnist, usps"),
        (None, "usps,x", "--test-domains usps,x: digits has no domain 'x'; it has mnist, usps, s"),
        ("mnist,", None, "--train-domains mnist,: digits has no domain ''; it has mnist"),
        (",".join(ALL), None, "no domain is left to learn from or to test on; name fewer"),
        (None, ",".join(ALL), "no domain is left to learn from or to test on; name fewer"),
    ],
)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_parts_that_cannot_be(
    learned: str | None, tested: str | None, says: str, split: str
) -> None:
    config = Config(dataset="digits", train_domains=learned, test_domains=tested)
    with pytest.raises(UsageError) as error:
        domains_of(config, split)
    assert says in str(error.value)


@pytest.mark.parametrize("flag", ["train", "test"])
def test_domains_of_a_data_set_that_has_none(flag: str, tmp_path: Path) -> None:
    named: dict[str, Any] = {f"{flag}_domains": "a"}
    for config, name in (
        (Config(dataset="omniglot", **named), "omniglot"),
        (Config(data=str(tmp_path), **named), str(tmp_path)),
    ):
        with pytest.raises(UsageError) as error:
            domains_of(config, "train")
        assert str(error.value) == f"--{flag}-domains a: {name} is not divided by domains"


def test_a_domain_named_twice() -> None:
    data = making.image_set([20, 20], domains=2)
    with pytest.raises(UsageError, match="name each once"):
        in_domains(data, ("domain0", "domain0"))
