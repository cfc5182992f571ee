"""Which-attribute tasks on photographs: the class, or how the picture is turned, placed, toned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.tasks.asking import Nuisance, check_known
from fewshot_film.tasks.attributes import AttributeSampler, Look
from fewshot_film.tasks.drawing import draw_distinct
from fewshot_film.tasks.factors import FACTORS, LEVELS, SEEN
from fewshot_film.tasks.imaging.grain import unit

JITTER = 0.25
"""Of a level, by which images miss theirs: half a level stays free between two neighbours."""


@final
@dataclass(frozen=True)
class FactorLevels:
    """The named one of FACTORS, at some of its LEVELS; every image misses its own a little."""

    name: str
    levels: tuple[int, ...] = SEEN

    def check(self, way: int) -> None:
        if bad := [level for level in self.levels if level not in range(LEVELS)]:
            raise UsageError(f"{self.name} has the levels 0 to {LEVELS - 1}, not {bad[0]}")
        if len(set(self.levels)) < len(self.levels):
            raise UsageError(f"`levels` of {self.name} are {self.levels}; name each once")
        if way > len(self.levels):
            raise UsageError(
                f"{way}-way tasks need {way} levels of {self.name}, `levels` names "
                f"{len(self.levels)}; pass a smaller `way` or more `levels`"
            )

    def draw(self, tasks: int, way: int, free: int, rng: torch.Generator) -> Look:
        own = draw_distinct(torch.full((tasks,), len(self.levels)), way, rng).flatten()
        others = torch.randint(len(self.levels), (free,), generator=rng, device=rng.device).cpu()
        levels = torch.tensor(self.levels)[torch.cat([own, others])]

        def look(images: Tensor, which: Tensor, key: Tensor) -> Tensor:
            missed = JITTER * (2 * unit(key) - 1)
            return FACTORS[self.name](images, levels.to(which.device)[which] + missed, key)

        return look


def photo_attribute_tasks(
    data: ImageSet,
    way: int,
    shot: int,
    query: int,
    *,
    factors: Sequence[str],
    asked: Sequence[str] | None = None,
    levels: Mapping[str, Sequence[int]] | None = None,
    nuisance: Nuisance = "crossed",
) -> AttributeSampler:
    """(data, factors) -> tasks that ask for the class or for one of these factors.

    `factors` name what varies, out of FACTORS, and `asked` what tasks ask for, out of "class" and
    those: the others are nuisance. `levels` are those used of a factor, SEEN of one that is not
    named. So a factor is held out by its name, levels as `dict.fromkeys(FACTORS, UNSEEN)`.
    """
    levels = levels or {}
    check_known("factors", factors, tuple(FACTORS))
    check_known("levels", tuple(levels), tuple(FACTORS))
    # in the order in which they are applied
    attributes = [
        FactorLevels(name, tuple(levels.get(name, SEEN))) for name in FACTORS if name in factors
    ]
    return AttributeSampler(data, way, shot, query, attributes, asked, nuisance)


def rendering_or_class(
    data: ImageSet,
    way: int,
    shot: int,
    query: int,
    *,
    nuisance: Nuisance = "crossed",
    renderings: Sequence[int] = range(LEVELS),
) -> AttributeSampler:
    """data -> tasks that ask for the class or for the rendering, out of those given."""
    levels = {"rendering": renderings}
    factors = ("rendering",)
    return photo_attribute_tasks(
        data, way, shot, query, factors=factors, levels=levels, nuisance=nuisance
    )
