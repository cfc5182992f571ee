"""Domains: which of a data set's domains a run learns from, and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence

from fewshot_film.config.config import Config, find_entry
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError


def in_domains(images: ImageSet, domains: Sequence[str]) -> ImageSet:
    """The images of these domains; all of them of a data set that is not divided by domains."""
    return images.of_domains(domains) if domains else images


def known_domains(config: Config) -> tuple[str, ...]:
    """Those that a Config's data set is divided by; a folder of pictures is not."""
    return () if config.data else find_entry(config).source.domains


def domains_of(config: Config, split: str) -> tuple[str, ...]:
    """The domains of a split; () for a data set that is not divided by domains.

    Training and validation see one part of them and the test another; where only one part is
    named, the other is all the rest.
    """
    known = known_domains(config)
    learned, tested = (
        named_domains(flag, text, config)
        for flag, text in (
            ("--train-domains", config.train_domains),
            ("--test-domains", config.test_domains),
        )
    )
    if not known:
        return ()
    if not learned and not tested:
        raise UsageError(
            f"{config.dataset} is tested on domains that training does not see; name some of "
            f"{', '.join(known)} with --test-domains, or in an evaluation with --domains"
        )
    learned = learned or tuple(name for name in known if name not in tested)
    tested = tested or tuple(name for name in known if name not in learned)
    _check_apart(learned, tested)
    return tested if split == "test" else learned


def named_domains(flag: str, text: str | None, config: Config) -> tuple[str, ...]:
    """The domains of a Config's data set that a flag names, with commas between them."""
    known = known_domains(config)
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if names and not known:
        raise UsageError(
            f"{flag} {text}: {config.data or config.dataset} is not divided by domains"
        )
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"{flag} {text}: {config.dataset} has no domain {unknown[0]!r}; it has "
            f"{', '.join(known)}"
        )
    return names


def _check_apart(learned: Sequence[str], tested: Sequence[str]) -> None:
    if both := set(learned) & set(tested):
        raise UsageError(
            f"the domain {min(both)!r} is both learned from and tested on; leave it out of "
            "--train-domains, or name others with --test-domains"
        )
    if not learned or not tested:
        raise UsageError("no domain is left to learn from or to test on; name fewer")
