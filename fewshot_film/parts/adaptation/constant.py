"""One conditioning for all tasks: what training gains by more parameters, not by adapting."""

from __future__ import annotations

from typing import final

import torch
from torch import nn

from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator.base import check_steerable
from fewshot_film.tasks.episode import LabeledSet


@final
class ConstantAdapter(Adapter):
    """support -> identity + delta, learned and the same for every task.

    It is the control of every adapter that looks at its support set: what is not above it is no
    adaptation.
    """

    def __init__(self, identity: TaskParams) -> None:
        super().__init__()
        check_steerable(identity)
        self.identity = identity
        self.deltas = nn.ModuleDict(
            {
                site: nn.ParameterDict({name: torch.zeros_like(v) for name, v in params.items()})
                for site, params in identity.items()
            }
        )

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        del way, extractor
        tasks = len(support.images)
        return {
            site: {
                name: (self.identity[site][name].to(delta) + delta).expand(tasks, *delta.shape)
                for name, delta in deltas.named_parameters()
            }
            for site, deltas in self.deltas.items()
        }
