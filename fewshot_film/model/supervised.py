"""A classifier of known classes: what plain supervised training gives."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from fewshot_film.model.classifier import Classifier, TaskConditionedExtractor
from fewshot_film.parts.adaptation import Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.head import PrototypeHead, cosine
from fewshot_film.tasks.episode import Episode


@final
class SupervisedClassifier(Classifier):
    """episode -> logits (task, query, way) of a linear layer over the classes it was trained on.

    A task's classes are found by their number in the data set, `Episode.class_ids`. The support set
    is looked at by the adapter alone: this is the setting of adaptive batch norm's paper (Li et al.
    2018), where a network is trained on one domain and classifies another. New classes are told by
    the cosine to their prototypes, as in the classifier baseline of Chen et al. 2021.
    """

    def __init__(self, features: TaskConditionedExtractor, linear: nn.Linear) -> None:
        super().__init__(features, PrototypeHead(cosine, scale=10.0))
        self.linear = linear

    def classify(
        self, episode: Episode, params: TaskParams | None
    ) -> Float[Tensor, "task query way"]:
        images = episode.query.images
        logits = self.linear(self.features.extractor(images, params)).float()
        classes = episode.class_ids.unsqueeze(1).expand(-1, images.shape[1], -1)
        return logits.gather(2, classes)

    def aligned(self, layer: nn.Linear) -> SupervisedClassifier:
        """W (A z + c) + b: the same classifier of features z that the layer, (A, c), maps first.

        With `correlation_alignment(source, target)` it is CORAL behind adaptive batch norm: first
        the batch norms take the target's statistics, then the features so found are aligned.
        """
        old = self.linear
        made = skip_init(nn.Linear, layer.in_features, old.out_features, dtype=old.weight.dtype)
        with torch.no_grad():
            made.weight.copy_(old.weight @ layer.weight)
            made.bias.copy_(old.weight @ layer.bias + old.bias)
        return SupervisedClassifier(self.features, made.to(old.weight.device))

    def with_adapter(self, adapter: Adapter) -> SupervisedClassifier:
        features = TaskConditionedExtractor(self.features.extractor, adapter)
        return SupervisedClassifier(features, self.linear)
