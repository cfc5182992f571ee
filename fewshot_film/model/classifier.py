"""The pieces put together: from a support set to an adapted extractor and a classifier."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias, final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.base.modes import evaluating
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.conditioning import SiteParams, TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.head import PrototypeHead
from fewshot_film.tasks.episode import Episode, LabeledSet, as_float, class_means

Labels: TypeAlias = Sequence[Any] | np.ndarray | Tensor
"""One label an image: numbers or words, as long as they can be sorted."""


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

    def adapt(self, images: Tensor, labels: Labels) -> AdaptedExtractor:
        """(N images, N labels) -> an ordinary network for this task, independent of this one.

        Images are (N, C, H, W), uint8 in 0..255 or float in [0, 1].
        """
        _check_pixels(images)
        classes, codes = _encode(labels, len(images))
        device = next(self.parameters()).device
        pixels = _pixels(images).to(device).unsqueeze(0)
        support = LabeledSet(pixels, codes.to(device).unsqueeze(0))
        with evaluating(self):
            try:
                params = self.params(support, len(classes))
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise UsageError(
                    f"the network cannot take images of shape {tuple(images.shape[1:])} ({error}); "
                    "give the channels and the size that it was trained on"
                ) from error
            return AdaptedExtractor(self.extractor, params)


@final
class AdaptedExtractor(nn.Module):
    """images -> features, for one task: a plain module to save, export or call."""

    def __init__(self, extractor: Extractor, params: TaskParams | None) -> None:
        """`params` of a single task; the extractor is copied."""
        super().__init__()
        self.extractor = copy.deepcopy(extractor).requires_grad_(False)
        self.params = nn.ModuleDict(
            {site: _frozen(values) for site, values in (params or {}).items()}
        )
        self.eval()

    def forward(self, images: Tensor) -> Float[Tensor, "image feature"]:
        """`images` (N, C, H, W), uint8 in 0..255 or float in [0, 1], on any device."""
        _check_held(images)
        images = images.to(next(self.extractor.parameters()).device)
        params = {site: dict(values.named_parameters()) for site, values in self.params.items()}
        features: Tensor = self.extractor(_pixels(images).unsqueeze(0), params or None)
        return features.squeeze(0)


class Classifier(nn.Module, ABC):
    """episode -> logits (task, query, way): what can be trained and evaluated.

    `head` classifies into the labels of a support set that a person brings: see `adapt`.
    """

    def __init__(self, features: TaskConditionedExtractor, head: PrototypeHead) -> None:
        super().__init__()
        self.features, self.head = features, head

    @abstractmethod
    def forward(self, episode: Episode) -> Float[Tensor, "task query way"]: ...

    @abstractmethod
    def with_adapter(self, adapter: Adapter) -> Classifier:
        """The same extractor and head, shared, under another adapter."""

    def adapt(self, images: Tensor, labels: Labels) -> AdaptedClassifier:
        """(N images, N labels) -> a classifier of further images into those labels."""
        classes, codes = _encode(labels, len(images))
        extractor = self.features.adapt(images, labels)
        with evaluating(self):
            device = self.head.log_scale.device
            shots = extractor(images).unsqueeze(0)
            prototypes = class_means(shots, codes.to(device).unsqueeze(0), len(classes))
        return AdaptedClassifier(extractor, self.head, prototypes.squeeze(0), classes)


@final
class FewShotClassifier(Classifier):
    """episode -> logits (task, query, way), from prototypes in the task's own feature space."""

    def forward(self, episode: Episode) -> Float[Tensor, "task query way"]:
        return self.classify(episode, self.features.params_of(episode))

    def classify(
        self, episode: Episode, params: TaskParams | None
    ) -> Float[Tensor, "task query way"]:
        """The logits under task parameters that are known already."""
        support, query = episode.support, episode.query
        shots, queries = self.features.embedded(support.images, query.images, params)
        logits: Tensor = self.head(queries, class_means(shots, support.labels, episode.way))
        return logits

    def with_adapter(self, adapter: Adapter) -> FewShotClassifier:
        return FewShotClassifier(
            TaskConditionedExtractor(self.features.extractor, adapter), self.head
        )


@final
class AdaptedClassifier(nn.Module):
    """images -> logits over `classes`, the labels that the task was given, in sorted order."""

    prototypes: Tensor

    def __init__(
        self,
        extractor: AdaptedExtractor,
        head: PrototypeHead,
        prototypes: Float[Tensor, "way feature"],
        classes: Sequence[Any],
    ) -> None:
        super().__init__()
        self.extractor, self.classes = extractor, tuple(classes)
        self.head = copy.deepcopy(head).requires_grad_(False)
        self.register_buffer("prototypes", prototypes)
        self.eval()

    def forward(self, images: Tensor) -> Float[Tensor, "image way"]:
        features = self.extractor(images).float().unsqueeze(0)
        logits: Tensor = self.head(features, self.prototypes.unsqueeze(0))
        return logits.squeeze(0)

    def classify(self, images: Tensor) -> list[Any]:
        """The most likely label of each image."""
        _check_pixels(images)
        with torch.no_grad():
            best = self(images).argmax(1)
        return [self.classes[i] for i in best.tolist()]


def _encode(labels: Labels, images: int) -> tuple[list[Any], Int64[Tensor, " image"]]:
    """labels -> (the sorted distinct labels, each image's index among them)."""
    if not isinstance(labels, Tensor | np.ndarray):
        words = [isinstance(label, str) for label in labels]
        if len(set(words)) > 1 or any(label is None for label in labels):
            raise UsageError("labels are of several kinds; pass all words or all numbers")
    values = labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if values.shape != (images,):
        raise UsageError(f"{images} images came with labels of shape {values.shape}; pass one each")
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise UsageError(f"the support set has {len(classes)} classes; a task needs at least two")
    return classes.tolist(), torch.from_numpy(codes).long()


def _check_held(images: Tensor) -> None:
    """Tensors of bytes or floats with all four axes."""
    if not isinstance(images, Tensor):
        raise UsageError(f"images are a tensor, these are {type(images).__name__}; convert them")
    if images.ndim != 4:
        raise UsageError(f"images are (N, C, H, W), these have the shape {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
        raise UsageError(f"images are uint8 or float, these are {images.dtype}; use .byte()")


def _check_pixels(images: Tensor) -> None:
    """Images as they are held, or an error that says how they came instead."""
    _check_held(images)
    if images.dtype == torch.uint8 or not images.numel():
        return
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= 0 and high <= 1):  # a comparison with NaN is false
        raise UsageError(
            f"float images are in [0, 1], these go from {low:.4g} to {high:.4g}; divide pixels by "
            "255, or pass them as uint8"
        )


def _frozen(values: SiteParams) -> nn.ParameterDict:
    # cloned, since one generator's outputs share their memory
    return nn.ParameterDict(
        {name: nn.Parameter(v.detach().clone(), False) for name, v in values.items()}
    )


def _pixels(images: Tensor) -> Tensor:
    return as_float(images) if images.dtype == torch.uint8 else images
