"""Objectives: what a training step minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.family import Family
from fewshot_film.base.values import AtLeast
from fewshot_film.errors import FewShotError
from fewshot_film.model.classifier import Classifier
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.tasks.episode import Episode, LabeledSet


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
class AttributeLoss(Objective):
    """Query loss + weight * cross-entropy of naming the attribute that a labelling asks for.

    Where images carry several factors, support and query set are each relabelled by every one of
    them; a linear layer must tell from z alone which factor it was. Each image is embedded once,
    for the task's own z too. Tasks without factors count with their query loss alone. It takes any
    encoder; one whose z is the same for every labelling cannot learn it.
    """

    def __init__(self, embedding_dim: int, factors: int, weight: float = 2.0) -> None:
        super().__init__()
        self.weight = weight
        self.name_factor = nn.Sequential(
            nn.LayerNorm(embedding_dim), nn.Linear(embedding_dim, factors)
        )

    def forward(self, classifier: Classifier, episode: Episode) -> Outcome:
        support, query, features = episode.support, episode.query, classifier.features
        if support.factors is None or query.factors is None:
            return query_outcome(classifier(episode), query.labels)
        adapter = learned_adapter(classifier)
        both, first = torch.cat([support.images, query.images], dim=1), support.images.shape[1]
        embedded = adapter.encoder.embed(both, Apart(features.extractor, first))
        shots, queries = embedded.tensor_split([first], dim=1)
        z = adapter.encoder.summarise(shots, support.labels, episode.way)
        params = features.described(support, adapter.generator(z))
        outcome = query_outcome(classifier.classify(episode, params), query.labels)
        naming = [
            self._naming(adapter.encoder, values, factors, episode.way)
            for values, factors in ((shots, support.factors), (queries, query.factors))
        ]
        return Outcome(outcome.loss + self.weight * sum(naming) / 2, outcome.accuracy)

    def _naming(
        self,
        encoder: TaskEncoder,
        embedded: Float[Tensor, "task example embedding"],
        factors: Int64[Tensor, "task example factor"],
        way: int,
    ) -> Float[Tensor, ""]:
        """How badly z tells by which factor the set was relabelled."""
        tasks, _, count = factors.shape
        labelings = factors.transpose(1, 2).flatten(0, 1)  # every labelling as a task of its own
        z = encoder.summarise(embedded.repeat_interleave(count, 0), labelings, way)
        targets = torch.arange(count, device=z.device).repeat(tasks)
        return F.cross_entropy(self.name_factor(z).float(), targets)


@final
class Apart(nn.Module):
    """A support set and its queries -> features, neither seen beside the other.

    A normalization takes the images that it is given together for one set.
    """

    def __init__(self, features: nn.Module, support: int) -> None:
        """`support` counts the images of the support set, which come first."""
        super().__init__()
        self.features, self.support = features, support

    def forward(
        self, images: Float[Tensor, "task example channel height width"]
    ) -> Float[Tensor, "task example feature"]:
        sets = images.tensor_split([self.support], dim=1)
        return torch.cat([self.features(images) for images in sets], dim=1)


def learned_adapter(classifier: Classifier) -> LearnedAdapter:
    """The adapter whose encoder can be trained to name attributes."""
    adapter = classifier.features.adapter
    if isinstance(adapter, LearnedAdapter):
        return adapter
    raise FewShotError(
        f"naming attributes trains a task encoder, {type(adapter).__name__} has none; give the "
        "classifier a LearnedAdapter, or leave the attribute loss out"
    )


def without_auxiliary(tasks: Objective) -> Objective:
    """No co-training."""
    return tasks


class AuxiliaryLoss(Objective):
    """Co-training (TADAM, section 3.4): telling all training classes apart by a linear layer.

    The layer reads the features of the unconditioned extractor. An episode says by its `auxiliary`
    batch, of `images` images, that its step is one of co-training; other steps are left to `tasks`.
    """

    def __init__(
        self,
        tasks: Objective,
        feature_dim: int,
        classes: int,
        *,
        images: Annotated[int, AtLeast(1)] = 64,
    ) -> None:
        super().__init__()
        self.tasks, self.images = tasks, images
        self.linear = nn.Linear(feature_dim, classes)

    def cross_entropy(self, classifier: Classifier, batch: LabeledSet) -> Float[Tensor, ""]:
        """How badly the linear layer names the class of each image."""
        features = classifier.features.extractor(batch.images)
        logits = self.linear(features.flatten(0, 1))
        return F.cross_entropy(logits.float(), batch.labels.flatten())


@final
class AuxiliaryInstead(AuxiliaryLoss):
    """A co-training step replaces the step on tasks (TADAM's text, Oreshkin et al. 2018)."""

    def forward(self, classifier: Classifier, episode: Episode) -> Outcome:
        if episode.auxiliary is None:
            outcome: Outcome = self.tasks(classifier, episode)
            return outcome
        loss = self.cross_entropy(classifier, episode.auxiliary)
        return Outcome(loss, torch.full_like(loss.detach(), torch.nan))


@final
class AuxiliaryAddition(AuxiliaryLoss):
    """A co-training step comes on top of that on tasks (TADAM's code, Oreshkin et al. 2018).

    The code takes two steps, by two optimizers with a momentum each; here their losses are added
    and one optimizer steps, so the momentum of co-training also moves the steps without it.
    """

    def forward(self, classifier: Classifier, episode: Episode) -> Outcome:
        outcome: Outcome = self.tasks(classifier, episode)
        if episode.auxiliary is None:
            return outcome
        loss = self.cross_entropy(classifier, episode.auxiliary)
        return Outcome(outcome.loss + loss, outcome.accuracy)


AUXILIARIES: Family[Objective] = Family(
    "auxiliary",
    ("tasks", "feature_dim", "classes"),
    none=without_auxiliary,
    instead=AuxiliaryInstead,
    addition=AuxiliaryAddition,
)


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
