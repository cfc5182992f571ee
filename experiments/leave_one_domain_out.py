"""What the two recipes of leave-one-domain-out tasks share: their rows, table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import show_domains
from recipe import Recipe, Row
from rows import Result
from show import Differences

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Question

COLUMNS = {
    "inductive": ("support", "task-norm", "film", "film-support"),
    "transductive": ("query", "domain"),
}


def leave_one_domain_out(
    name: str, base: Config, domains: Sequence[str], tests: Sequence[Question]
) -> Recipe:
    """Every domain in turn is kept for the test, for every method."""
    rows = [row for domain in domains for row in _rows(base, domain, tests)]
    return Recipe(name, tuple(rows), _summary, _figure)


def _rows(base: Config, domain: str, tests: Sequence[Question]) -> list[Row]:
    """Three trainings on the other domains, put to this one in seven ways."""
    plain = replace(base, train_domains=None, test_domains=domain, adapter="none")
    here = tuple(replace(asked, domains=domain) for asked in tests)
    none = Row(f"{domain}-none", plain, here)
    other = replace(none, compared_with=none.name)
    adapted = replace(other, training=none.name)
    film = replace(other, name=f"{domain}-film", config=replace(plain, adapter="learned"))
    task_norm = replace(plain, normalization="task-norm-i")
    return [
        none,
        replace(adapted, name=f"{domain}-support", variant="@adabn"),
        replace(other, name=f"{domain}-task-norm", config=task_norm),
        film,
        replace(film, name=f"{domain}-film-support", variant="@own+adabn", training=film.name),
        replace(adapted, name=f"{domain}-query", variant="@adabn-query"),
        replace(adapted, name=f"{domain}-domain", variant="@adabn-domain"),
    ]


def _summary(results: Sequence[Result], differences: Differences) -> str:
    return show_domains.summary(results, differences, COLUMNS)


def _figure(results: Sequence[Result]) -> bytes:
    return show_domains.figure(results, COLUMNS)
