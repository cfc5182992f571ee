"""Which-attribute tasks: only the support set tells which of four attributes is the label."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.base.seeding import uniform
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.glyphs.renderings import SEEN, render
from fewshot_film.data.sets.glyphs.shapes import deform, weigh
from fewshot_film.errors import UsageError, check_counts
from fewshot_film.tasks.drawing import Members, draw_distinct
from fewshot_film.tasks.episode import Episode, LabeledSet

FACTORS = ("character", "size", "slant", "rendering")
SIZES = (0.45, 0.55, 0.67, 0.82, 1.0)
SLANTS = (-0.7, -0.35, 0.0, 0.35, 0.7)


@final
class WhichAttributeSampler:
    """rng -> tasks over images with four factors, labelled by one of them.

    Each image has a character, a size, a slant and a rendering of `way` levels each. In support
    and query every factor takes each of its levels equally often, independently of the others:
    without the labels, the images do not tell which factor is asked. Stroke weight and position
    vary freely; no stored image is in both sets. `LabeledSet.factors` holds all four labellings,
    in the order of FACTORS.
    """

    groups = tuple(f"which {factor}" for factor in FACTORS)

    def __init__(self, data: ImageSet, way: int, shot: int, query: int) -> None:
        check_counts(way=way, shot=shot, query=query)
        if way > len(SIZES):
            raise UsageError(
                f"which-attribute tasks have {len(SIZES)} levels of each attribute, `way` is {way}"
            )
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.members = Members(data)
        self.members.check(data, way, 2)
        device = data.device
        self.sizes = torch.tensor(SIZES, device=device)
        self.slants = torch.tensor(SLANTS, device=device)
        self.renderings = torch.tensor(SEEN, device=device)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        classes = draw_distinct(torch.full((tasks,), len(self.data.names)), self.way, rng)
        # which of the five levels the task's labels 0..way-1 stand for, factor by factor
        levels = draw_distinct(torch.full((tasks, 3), len(SIZES)), self.way, rng)
        asked = torch.randint(len(FACTORS), (tasks,), generator=rng, device=rng.device).cpu()
        factors = [
            balanced(tasks, len(FACTORS), self.way, repeats, rng)
            for repeats in (self.shot, self.query)
        ]
        first = draw_distinct(self.members.counts[classes], 1, rng).squeeze(2)
        drawings = [
            self._drawings(classes, first, part[..., 0], half, rng)
            for half, part in enumerate(factors)
        ]
        # from here on random numbers depend on the images' size; what is asked must not
        support, query = [
            self._labeled(index, part, levels, asked, rng)
            for index, part in zip(drawings, factors, strict=True)
        ]
        device = self.data.device
        return Episode(support, query, self.way, classes.to(device), asked.to(device))

    def _drawings(
        self,
        classes: Int64[Tensor, "task way"],
        first: Int64[Tensor, "task way"],
        character: Int64[Tensor, "task example"],
        half: int,
        rng: torch.Generator,
    ) -> Int64[Tensor, "task example"]:
        """The stored image of each example: half 0 of its character's images, or half 1.

        A character's images lie on a ring that is cut at `first`, so support and query never
        share one.
        """
        counts = self.members.counts[classes].gather(1, character)
        widths = counts - counts // 2 if half else counts // 2
        rows = draw_distinct(widths, 1, rng).squeeze(2) + counts // 2 * half
        rows = (first.gather(1, character) + rows) % counts
        return self.members.images(classes.gather(1, character), rows.unsqueeze(2)).squeeze(2)

    def _labeled(
        self,
        index: Int64[Tensor, "task example"],
        factors: Int64[Tensor, "task example factor"],
        levels: Int64[Tensor, "task 3 way"],
        asked: Int64[Tensor, " task"],
        rng: torch.Generator,
    ) -> LabeledSet:
        device = self.data.device
        looks = levels.gather(2, factors[..., 1:].transpose(1, 2)).to(device)
        images = self._look(as_float(self.data.images[index.flatten().to(device)]), looks, rng)
        labels = factors.gather(2, asked.view(-1, 1, 1).expand(-1, factors.shape[1], 1)).squeeze(2)
        return LabeledSet(images.unflatten(0, index.shape), labels.to(device), factors.to(device))

    def _look(
        self,
        images: Float[Tensor, "image 1 height width"],
        looks: Int64[Tensor, "task 3 example"],
        rng: torch.Generator,
    ) -> Float[Tensor, "image 1 height width"]:
        size, slant, rendering = (look.flatten() for look in looks.unbind(1))
        count, device = len(images), images.device
        weighed = weigh(images, uniform((count,), -0.5, 1.0, rng, device))
        deformed = deform(
            weighed,
            size=self.sizes[size],
            slant=self.slants[slant],
            rotation=uniform((count,), -5.0, 5.0, rng, device),
            shift=uniform((count, 2), -2.0, 2.0, rng, device),
        )
        return render(deformed, self.renderings[rendering], rng)


def balanced(
    tasks: int, factors: int, levels: int, repeats: int, rng: torch.Generator
) -> Int64[Tensor, "task example factor"]:
    """Each factor takes each level `repeats` times, in an order of its own."""
    keys = torch.rand(tasks, levels * repeats, factors, generator=rng, device=rng.device).cpu()
    return keys.argsort(dim=1) % levels
