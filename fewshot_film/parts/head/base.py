"""Head: fitted on the features of a support set, it classifies those of queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.head.classes import class_sizes

Features: TypeAlias = Float[Tensor, "task example feature"]
Labels: TypeAlias = Int64[Tensor, "task example"]
Queries: TypeAlias = Float[Tensor, "task query feature"]
Logits: TypeAlias = Float[Tensor, "task query way"]

HeadParams: TypeAlias = dict[str, Tensor]
"""name -> (task, ...): what a head keeps of a support set, for every task of the batch."""


class Head(nn.Module, ABC):
    """queries -> logits, by parameters that `fit` finds on the support set of every task.

    A head of one's own is `estimate` and `score`. They compute without autocast, in float32, or in
    float64 where the features are; what they are given is in that precision already. Gradients flow
    through both.
    """

    @abstractmethod
    def estimate(self, features: Features, labels: Labels, way: int) -> HeadParams:
        """What is fitted on the support set; the order of its examples does not matter."""

    @abstractmethod
    def score(self, queries: Queries, fitted: HeadParams) -> Logits:
        """The logits of the queries, each on its own."""

    def score_left_out(
        self, features: Features, labels: Labels, way: int
    ) -> Float[Tensor, "task example way"]:
        """The logits of `leave_one_out`, by fitting as often as there are examples."""
        every = torch.arange(labels.shape[1], device=labels.device)
        logits = []
        for i in range(labels.shape[1]):
            others = every[every != i]
            fitted = self.estimate(features[:, others], labels[:, others], way)
            logits.append(self.score(features[:, i : i + 1], fitted))
        return torch.cat(logits, 1)

    @final
    def fit(self, features: Features, labels: Labels, way: int) -> HeadParams:
        """(support features, labels 0..way-1) -> what `forward` classifies by."""
        with torch.autocast(features.device.type, enabled=False):
            return self.estimate(_precise(features), labels, way)

    def forward(self, queries: Queries, fitted: HeadParams) -> Logits:
        with torch.autocast(queries.device.type, enabled=False):
            precise = _precise(queries)
            return self.score(precise, {n: v.to(precise.dtype) for n, v in fitted.items()})

    @final
    def leave_one_out(
        self, features: Features, labels: Labels, way: int
    ) -> Float[Tensor, "task example way"]:
        """The logits of every support example by what is fitted on all the others.

        Every class needs two examples: at one shot no class would be left to find an example's own.
        """
        _check_two_each(labels, way)
        with torch.autocast(features.device.type, enabled=False):
            return self.score_left_out(_precise(features), labels, way)


def learnable_scale(scale: float, learned: bool) -> nn.Parameter:
    """log(scale), which stays there unless `learned`: a head multiplies by its exponential.

    It is TADAM's alpha (Oreshkin et al. 2018, section 3.1).
    """
    return nn.Parameter(torch.tensor(scale).log(), requires_grad=learned)


def _precise(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _check_two_each(labels: Labels, way: int) -> None:
    lone = (class_sizes(labels, way) < 2).nonzero().tolist()
    if lone:
        task, label = lone[0]
        raise UsageError(
            f"`labels` name class {label} of task {task} once at most, and leaving that image out "
            "would leave none; give every class two images or more"
        )
