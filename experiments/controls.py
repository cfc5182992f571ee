"""Adapters that show what a task's own parameters are worth: RUN@other-question and its like.

Importing this module gives the parts their names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from told import asked_factor

from fewshot_film.base.seeding import generator
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import ADAPTERS, Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.asking import labelled_by
from fewshot_film.tasks.episode import LabeledSet


@final
class OtherQuestion(Adapter):
    """support -> what the trained adapter makes of the same images, asked for their next factor."""

    def __init__(self, own: Adapter) -> None:
        super().__init__()
        self.own = own

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams | None:
        if support.factors is None:
            raise UsageError("these images have no other labelling; take crossed nuisance")
        other = (asked_factor(support) + 1) % support.factors.shape[2]
        labels = labelled_by(support.factors.cpu(), other.cpu()).to(support.labels.device)
        found: TaskParams | None = self.own(replace(support, labels=labels), way, extractor)
        return found


@final
class ShuffledLabels(Adapter):
    """support -> what the trained adapter makes of the images under labels dealt out anew."""

    def __init__(self, own: Adapter) -> None:
        super().__init__()
        self.own = own

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams | None:
        # the same deal for every task, whatever batch it comes in
        order = torch.randperm(support.labels.shape[1], generator=generator(0, 0))
        dealt = support.labels[:, order.to(support.labels.device)]
        found: TaskParams | None = self.own(replace(support, labels=dealt), way, extractor)
        return found


@final
class AnotherTask(Adapter):
    """support -> what the trained adapter makes of the task before it in the batch."""

    def __init__(self, own: Adapter) -> None:
        super().__init__()
        self.own = own

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams | None:
        found: TaskParams | None = self.own(support, way, extractor)
        return found and {
            site: {name: value.roll(1, 0) for name, value in params.items()}
            for site, params in found.items()
        }


OTHER_QUESTION, SHUFFLED, ANOTHER = "other-question", "shuffled-labels", "another-task"
ADAPTERS.parts |= {OTHER_QUESTION: OtherQuestion, SHUFFLED: ShuffledLabels, ANOTHER: AnotherTask}
