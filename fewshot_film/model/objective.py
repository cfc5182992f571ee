"""Objectives: what a training step minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, final

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.family import Family
from fewshot_film.base.values import AtLeast
from fewshot_film.model.classifier import Classifier
from fewshot_film.tasks.episode import Episode


@dataclass(frozen=True, eq=False)
class Outcome:
    """The loss to minimise and, detached, the share of queries classified correctly.

    The share is NaN where no query was classified.
    """

    loss: Float[Tensor, ""]
    accuracy: Float[Tensor, ""]


class Objective(nn.Module, ABC):
    """(classifier, episode) -> Outcome; a module, since a loss may have weights of its own."""

    @abstractmethod
    def forward(self, classifier: Classifier, episode: Episode) -> Outcome: ...


@final
class QueryLoss(Objective):
    """The mean cross-entropy of the queries."""

    def forward(self, classifier: Classifier, episode: Episode) -> Outcome:
        return query_outcome(classifier(episode), episode.query.labels)


def query_outcome(
    logits: Float[Tensor, "task query way"], labels: Int64[Tensor, "task query"]
) -> Outcome:
    """Mean cross-entropy and accuracy of all queries."""
    correct = logits.detach().argmax(2) == labels
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    return Outcome(loss, correct.float().mean())


@final
@dataclass(frozen=True, kw_only=True)
class FromEpisodes:
    """Learn few-shot tasks, and to name the attribute asked where tasks ask for one of several.

    Without `attribute_weight`, naming weighs 2 where an encoder can learn it.
    """

    attribute_weight: Annotated[float | None, AtLeast(0)] = None


@final
@dataclass(frozen=True, kw_only=True)
class FromClasses:
    """Learn to classify all training classes by a linear layer, in batches of `images` images.

    For data sets whose domains, not classes, are divided: tests are of the same classes.
    """

    images: Annotated[int, AtLeast(1)] = 128


OBJECTIVES: Family[FromEpisodes | FromClasses] = Family(
    "objective", (), episodes=FromEpisodes, classify=FromClasses
)
