"""Tasks whose support and queries come from one and the same domain."""

from __future__ import annotations

from typing import final

import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import check_counts
from fewshot_film.tasks.domain_cells import DomainCells, draw_domain_and_classes, eligible_classes
from fewshot_film.tasks.drawing import draw_distinct
from fewshot_film.tasks.episode import Episode


@final
class SameDomainSampler:
    """rng -> N-way K-shot tasks inside a domain (such as sketches); the domain is their group.

    The domain is drawn among those that offer enough classes; a class takes part where it has
    `shot + query` images in the domain.
    """

    def __init__(self, data: ImageSet, way: int, shot: int, query: int) -> None:
        check_counts(way=way, shot=shot, query=query)
        self.data, self.way, self.shot, self.query = data, way, shot, query
        self.groups = data.domain_names
        self.cells = DomainCells(data)
        needed = shot + query
        asked = f"{needed} images, as shot plus query ask for"
        self.eligible = eligible_classes(self.cells.counts >= needed, way, asked)

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        cells = self.cells
        domain, classes = draw_domain_and_classes(self.eligible, tasks, self.way, rng)
        rows = draw_distinct(cells.counts[classes, domain], self.shot + self.query, rng)
        index = cells.images(classes, domain, rows)
        return Episode(
            support=cells.labeled(index[..., : self.shot]),
            query=cells.labeled(index[..., self.shot :]),
            way=self.way,
            class_ids=classes.to(self.data.device),
            group=domain.squeeze(1).to(self.data.device),
        )
