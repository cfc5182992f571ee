"""The guard before a figure: classes that are new, and answers that no other query can change."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fewshot_film.errors import UsageError
from fewshot_film.runs.run import Run


def known_classes(run: Run, names: Iterable[str]) -> list[str]:
    """The classes among `names` that a run was trained on or chosen by."""
    return sorted(run.classes().intersection(names))


def check_unseen(
    run: Run, dataset: str, names: Iterable[str], domains: Collection[str] = ()
) -> None:
    """A test is of classes that the run has not learned from or been chosen by, or of domains."""
    if known := run.domains().intersection(domains):
        raise UsageError(
            f"{run.path} was trained or validated on the domain {min(known)!r} of {dataset}; test "
            "on another with `domains`, or pass `split=val` to look at known ones"
        )
    asked = set(names)
    seen = known_classes(run, asked)
    if seen and not (domains and run.domains()):
        raise UsageError(
            f"{run.path} was trained or validated on {len(seen)} of the {len(asked)} test classes "
            f"of {dataset}, {seen[0]!r} among them; test on other classes, or pass `split=val` or "
            "train to look at known ones"
        )


def check_same_classes(run: Run, dataset: str, names: Iterable[str]) -> None:
    """A run that learned to classify finds each class at its place, and has no other places."""
    if run.config().classifies and run.places() != tuple(names):
        raise UsageError(
            f"{run.path} was trained with objective classify, and {dataset} has other classes "
            f"than its {len(run.places())}, or has them in another order; test it on data of the "
            "same classes"
        )
