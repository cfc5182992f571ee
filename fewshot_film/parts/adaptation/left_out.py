"""Leaving one out: what a support set alone says of its task's parameters."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.head import Head
from fewshot_film.parts.head.base import Features, Labels
from fewshot_film.parts.head.classes import class_sizes
from fewshot_film.tasks.episode import LabeledSet


def tells(labels: Int64[Tensor, "task example"], way: int) -> Bool[Tensor, " task"]:
    """Whether every class has two images or more, so that it is known without any one of them."""
    return (class_sizes(labels, way) > 1).all(1)


@final
class LeaveOneOut:
    """(support, parameters) -> how a head that is fitted on all other images tells each one.

    The head is a classifier's, and lent: what holds this holds no weight of it.
    """

    def __init__(self, head: Head) -> None:
        self.head = head

    def logits(
        self, extractor: Extractor, support: LabeledSet, way: int, params: TaskParams
    ) -> Float[Tensor, "task example way"]:
        features = extractor(support.images, params)
        return self.head.leave_one_out(features, support.labels, way)

    def losses(
        self, extractor: Extractor, support: LabeledSet, way: int, params: TaskParams
    ) -> Float[Tensor, " task"]:
        """The mean cross-entropy of every task."""
        logits, labels = self.logits(extractor, support, way, params), support.labels
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return losses.view(labels.shape).mean(1)

    def accuracies(self, features: Features, labels: Labels, way: int) -> Float[Tensor, " task"]:
        """The share of every task's images that are told, of features that are known already."""
        logits = self.head.leave_one_out(features, labels, way)
        return (logits.argmax(2) == labels).to(logits.dtype).mean(1)


def read_once(
    images: Float[Tensor, "task example channel height width"], extractor: Extractor
) -> Float[Tensor, "task example reading tall wide"]:
    """Images -> what a frozen network reads of them, where it does and they were not read yet.

    Further passes then cost little, whatever the parameters.
    """
    if not extractor.reads or images.shape[3:] == (1, 1):
        return images
    like = next(extractor.parameters())
    return extractor.read(images.flatten(0, 1).to(like.dtype)).unflatten(0, images.shape[:2])
