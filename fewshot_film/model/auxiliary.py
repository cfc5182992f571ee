"""Co-training on all training classes, beside the tasks (TADAM, Oreshkin et al. 2018)."""

from __future__ import annotations

from typing import Annotated, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.base.family import Family
from fewshot_film.base.values import AtLeast
from fewshot_film.model.classifier import Classifier
from fewshot_film.model.objective import Objective, Outcome
from fewshot_film.tasks.episode import Episode, LabeledSet


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
