"""What adapting gives: plain modules for one task, to call, save or export."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fewshot_film.base.pixels import as_pixels, check_held, check_pixels
from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import SiteParams, TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.head import Head, HeadParams

Labels: TypeAlias = Sequence[Any] | np.ndarray | Tensor
"""One label an image: numbers or words, as long as they can be sorted."""


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
        check_held(images)
        self.extractor.check_images(images)
        images = images.to(next(self.extractor.parameters()).device)
        params = {site: dict(values.named_parameters()) for site, values in self.params.items()}
        features: Tensor = self.extractor(as_pixels(images).unsqueeze(0), params or None)
        return features.squeeze(0)


@final
class AdaptedClassifier(nn.Module):
    """images -> logits over `classes`, the labels that the task was given, in sorted order.

    What the head has fitted are buffers, each by its name, as `prototypes` or `weight`.
    """

    def __init__(
        self,
        extractor: AdaptedExtractor,
        head: Head,
        fitted: HeadParams,
        classes: Sequence[Any],
        feature_dim: int,
    ) -> None:
        """`fitted` to a single task, on `feature_dim` features an image; the head is copied."""
        super().__init__()
        self.extractor, self.classes, self.feature_dim = extractor, tuple(classes), feature_dim
        self.head = copy.deepcopy(head).requires_grad_(False)
        self.names = tuple(fitted)
        for name, value in fitted.items():
            self.register_buffer(name, value.squeeze(0).contiguous())
        self.eval()

    @property
    def fitted(self) -> HeadParams:
        """What the head classifies by, with the task axis."""
        return {name: self.get_buffer(name).unsqueeze(0) for name in self.names}

    def forward(self, images: Tensor) -> Float[Tensor, "image way"]:
        features = self.extractor(images).float()
        if features.shape[1] != self.feature_dim:
            raise UsageError(
                f"the task's support set had {self.feature_dim} features an image, these have "
                f"{features.shape[1]}; resize them to its size"
            )
        logits: Tensor = self.head(features.unsqueeze(0), self.fitted)
        return logits.squeeze(0)

    def classify(self, images: Tensor) -> list[Any]:
        """The most likely label of each image."""
        check_pixels(images)
        with torch.no_grad():
            best = self(images).argmax(1)
        return [self.classes[i] for i in best.tolist()]


def encoded(labels: Labels, images: int) -> tuple[list[Any], Int64[Tensor, " image"]]:
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


def _frozen(values: SiteParams) -> nn.ParameterDict:
    # cloned, since one generator's outputs share their memory
    return nn.ParameterDict(
        {name: nn.Parameter(v.detach().clone(), False) for name, v in values.items()}
    )
