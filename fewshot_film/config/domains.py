"""Domains: which of a data set's domains a run learns from, and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError


def in_domains(images: ImageSet, domains: Sequence[str]) -> ImageSet:
    """The images of these domains; all of them of a data set that is not divided by domains."""
    return images.of_domains(domains) if domains else images


def learned_and_tested(
    dataset: str, known: tuple[str, ...], train_domains: str | None, test_domains: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The domains of training and validation, and those of the test; () where there are none.

    Where only one part is named, the other is all the rest of those that are `known`.
    """
    learned = named_domains("train_domains", train_domains, dataset, known)
    tested = named_domains("test_domains", test_domains, dataset, known)
    if not known:
        return (), ()
    if not learned and not tested:
        raise UsageError(
            f"{dataset} is tested on domains that training does not see; name some of "
            f"{', '.join(known)} with `test_domains`, or in an evaluation with `domains`"
        )
    learned = learned or tuple(name for name in known if name not in tested)
    tested = tested or tuple(name for name in known if name not in learned)
    _check_apart(learned, tested)
    return learned, tested


def named_domains(
    argument: str, text: str | None, dataset: str, known: tuple[str, ...]
) -> tuple[str, ...]:
    """The domains that an argument names, with commas between them."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if names and not known:
        raise UsageError(f"`{argument}` {text}: {dataset} is not divided by domains")
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"`{argument}` {text}: {dataset} has no domain {unknown[0]!r}; it has "
            f"{', '.join(known)}"
        )
    return names


def _check_apart(learned: Sequence[str], tested: Sequence[str]) -> None:
    if both := set(learned) & set(tested):
        raise UsageError(
            f"the domain {min(both)!r} is both learned from and tested on; leave it out of "
            "`train_domains`, or name others with `test_domains`"
        )
    if not learned or not tested:
        raise UsageError("no domain is left to learn from or to test on; name fewer")
