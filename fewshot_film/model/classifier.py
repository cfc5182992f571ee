"""The pieces put together: from a support set to an adapted extractor and a classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.base.pixels import as_pixels, check_pixels
from fewshot_film.errors import UsageError
from fewshot_film.model.adapted import AdaptedClassifier, AdaptedExtractor, Labels, encoded
from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.head import Head
from fewshot_film.tasks.episode import Episode, LabeledSet


@final
class TaskConditionedExtractor(nn.Module):
    """(support, images) -> features of the images for the task that the support set describes."""

    def __init__(self, extractor: Extractor, adapter: Adapter) -> None:
        super().__init__()
        self.extractor, self.adapter = extractor, adapter

    def forward(
        self,
        support: LabeledSet,
        way: int,
        images: Float[Tensor, "task example channel height width"],
    ) -> Float[Tensor, "task example feature"]:
        features: Tensor = self.extractor(images, self.params(support, way))
        return features

    def params(self, support: LabeledSet, way: int) -> TaskParams | None:
        """What the extractor's sites are given: the adapter's parameters, and what norms keep."""
        return self.described(support, self.adapter(support, way, self.extractor))

    def params_of(self, episode: Episode) -> TaskParams | None:
        """What an episode asks of the sites; a transductive adapter sees its queries too."""
        support = episode.support
        if self.adapter.transductive:
            support = replace(support, unlabeled=episode.query.images)
        return self.params(support, episode.way)

    def described(self, support: LabeledSet, params: TaskParams | None) -> TaskParams | None:
        """The parameters with what the extractor's normalizations keep of the support set."""
        if not self.extractor.keeps:
            return params
        found: TaskParams = self.extractor.described(support.images, params)
        return found

    def embedded(
        self,
        support: Float[Tensor, "task shot channel height width"],
        query: Float[Tensor, "task query channel height width"],
        params: TaskParams | None,
    ) -> tuple[Float[Tensor, "task shot feature"], Float[Tensor, "task query feature"]]:
        """Features of both sets, in one pass unless a normalization must see them apart."""
        if self.extractor.transductive:
            return self.extractor(support, params).float(), self.extractor(query, params).float()
        both = self.extractor(torch.cat([support, query], dim=1), params).float()
        shots, queries = both.split([support.shape[1], query.shape[1]], dim=1)
        return shots, queries

    def read(self, labeled: LabeledSet) -> LabeledSet:
        """A set whose images are read, once for all that looks at them, if the extractor reads."""
        if not self.extractor.reads or labeled.images.shape[-2:] == (1, 1):
            return labeled
        found = self.extractor.read(labeled.images.flatten(0, 1))
        return replace(labeled, images=found.unflatten(0, labeled.images.shape[:2]))

    def adapt(self, images: Tensor, labels: Labels) -> AdaptedExtractor:
        """(N images, N labels) -> an ordinary network for this task, independent of this one.

        Images are (N, C, H, W), uint8 in 0..255 or float in [0, 1].
        """
        support, classes = self.support(images, labels)
        with evaluating(self):
            return AdaptedExtractor(self.extractor, self.params(support, len(classes)))

    def support(self, images: Tensor, labels: Labels) -> tuple[LabeledSet, list[Any]]:
        """What a person brings -> the support set of one task, and its classes in their order."""
        check_pixels(images)
        self.extractor.check_images(images)
        self.adapter.check_images(images)
        classes, codes = encoded(labels, len(images))
        device = next(self.parameters()).device
        pixels = as_pixels(images).to(device).unsqueeze(0)
        return self.read(LabeledSet(pixels, codes.to(device).unsqueeze(0))), classes


class Classifier(nn.Module, ABC):
    """episode -> logits (task, query, way): what can be trained and evaluated.

    `head` classifies into the labels of a support set that a person brings: see `adapt`.
    """

    def __init__(self, features: TaskConditionedExtractor, head: Head) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, episode: Episode) -> Float[Tensor, "task query way"]:
        if not isinstance(episode, Episode):
            raise UsageError(
                f"a classifier answers an Episode, and was given a {type(episode).__name__}; pass "
                "images to its `features.extractor`, or to what `adapt` gives"
            )
        support, query = self.features.read(episode.support), self.features.read(episode.query)
        episode = replace(episode, support=support, query=query)
        return self.classify(episode, self.features.params_of(episode))

    @abstractmethod
    def classify(
        self, episode: Episode, params: TaskParams | None
    ) -> Float[Tensor, "task query way"]:
        """The logits under task parameters that are known already."""

    @abstractmethod
    def with_adapter(self, adapter: Adapter) -> Classifier:
        """The same extractor and head, shared, under another adapter."""

    def adapt(self, images: Tensor, labels: Labels) -> AdaptedClassifier:
        """(N images, N labels) -> a classifier of further images into those labels."""
        features = self.features
        support, classes = features.support(images, labels)
        with evaluating(self):
            params = features.params(support, len(classes))
            shots = features.extractor(support.images, params).float()
            fitted = self.head.fit(shots, support.labels, len(classes))
            extractor = AdaptedExtractor(features.extractor, params)
        return AdaptedClassifier(extractor, self.head, fitted, classes, shots.shape[2])


@final
class FewShotClassifier(Classifier):
    """episode -> logits (task, query, way), by a head fitted in the task's own feature space."""

    def classify(
        self, episode: Episode, params: TaskParams | None
    ) -> Float[Tensor, "task query way"]:
        support, query = episode.support, episode.query
        shots, queries = self.features.embedded(support.images, query.images, params)
        logits: Tensor = self.head(queries, self.head.fit(shots, support.labels, episode.way))
        return logits

    def with_adapter(self, adapter: Adapter) -> FewShotClassifier:
        return FewShotClassifier(
            TaskConditionedExtractor(self.features.extractor, adapter), self.head
        )
