"""Naming the attribute that a task asks for, beside classifying its queries."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import FewShotError
from fewshot_film.model.classifier import Classifier
from fewshot_film.model.objective import Objective, Outcome, query_outcome
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.tasks.episode import Episode


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
    adapter = classifier.features.adapter.trained
    if isinstance(adapter, LearnedAdapter):
        return adapter
    raise FewShotError(
        f"naming attributes trains a task encoder, {type(adapter).__name__} has none; give the "
        "classifier a LearnedAdapter, or leave the attribute loss out"
    )
