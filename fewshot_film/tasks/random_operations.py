"""Tasks whose attributes are drawn anew: the class, or which random operation made a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from fewshot_film.base.seeding import TRAINING, generator
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.asking import Nuisance, check_known
from fewshot_film.tasks.attributes import AttributeSampler, Look
from fewshot_film.tasks.drawing import draw_distinct
from fewshot_film.tasks.operations import KINDS, Operations, draw

BANK = 2**32 - 1
"""The position in a seed's stream from which a bank is drawn; no step of a training comes to it."""


@final
class RandomOperation:
    """Operations of one kind, drawn for every task; out of a bank of `bank` of them, if given.

    The bank depends on `seed` alone, and a smaller one is the beginning of it.
    """

    def __init__(self, kind: str, bank: int | None = None, seed: int = 0) -> None:
        self.kind, self.name = KINDS[kind], f"{kind} operation"
        self.bank: Operations | None = None
        if bank is not None:
            check_counts(bank=bank)
            self.bank = draw(self.kind.steps, bank, generator(seed, TRAINING, BANK))

    def check(self, way: int) -> None:
        if self.bank is not None and way > len(self.bank):
            raise UsageError(
                f"{way}-way tasks need {way} operations, `bank` is {len(self.bank)}; pass a "
                "larger one, or a smaller `way`"
            )

    def draw(self, tasks: int, way: int, free: int, rng: torch.Generator) -> Look:
        operations = self._drawn(tasks, way, free, rng)

        def look(images: Tensor, which: Tensor, key: Tensor) -> Tensor:
            return self.kind.applied(operations.to(which.device)[which], images, key)

        return look

    def _drawn(self, tasks: int, way: int, free: int, rng: torch.Generator) -> Operations:
        if self.bank is None:
            return draw(self.kind.steps, tasks * way + free, rng)
        own = draw_distinct(torch.full((tasks,), len(self.bank)), way, rng).flatten()
        others = torch.randint(len(self.bank), (free,), generator=rng, device=rng.device).cpu()
        return self.bank[torch.cat([own, others])]


def random_operation_tasks(
    data: ImageSet,
    way: int,
    shot: int,
    query: int,
    *,
    kinds: Sequence[str] = ("colour", "geometry"),
    bank: int | None = None,
    asked: Sequence[str] | None = None,
    nuisance: Nuisance = "crossed",
    seed: int = 0,
) -> AttributeSampler:
    """(data, kinds) -> tasks that ask for the class or for the operation of one of these kinds.

    The operations that labels stand for are drawn for every task: anew, or out of a bank of
    `bank` operations of each kind that `seed` makes. `asked` names what tasks ask for, out of
    "class" and "<kind> operation".
    """
    check_known("kinds", kinds, tuple(KINDS))
    attributes = [RandomOperation(kind, bank, seed) for kind in KINDS if kind in kinds]
    return AttributeSampler(data, way, shot, query, attributes, asked, nuisance)
