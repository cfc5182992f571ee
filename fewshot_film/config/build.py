"""Config -> the parts that it names: the classifier and what its training minimises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from torch import nn

from fewshot_film.base.modes import running, uncounted
from fewshot_film.base.seeding import seeded_weights
from fewshot_film.config.config import Config, find_entry
from fewshot_film.errors import UsageError
from fewshot_film.model.classifier import Classifier, FewShotClassifier, TaskConditionedExtractor
from fewshot_film.model.objective import (
    AttributeLoss,
    AuxiliaryAddition,
    AuxiliaryInstead,
    AuxiliaryLoss,
    Objective,
    QueryLoss,
)
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import Adapter, LearnedAdapter, NoAdaptation
from fewshot_film.parts.adaptation.learned import EncoderPass
from fewshot_film.parts.conditioning import Bias, Conditioning, FiLM, Gate, Scale
from fewshot_film.parts.encoder import DiscriminativeEncoder, PrototypeMean, TaskEncoder
from fewshot_film.parts.extractor import (
    Conv4,
    Extractor,
    ResNet12,
    flattened,
    global_average,
    wide_resnet12,
)
from fewshot_film.parts.extractor.base import NormalizationFactory
from fewshot_film.parts.extractor.resnet12 import Pooling
from fewshot_film.parts.generator import Generator, PerSiteGenerator, SharedGenerator
from fewshot_film.parts.head import (
    PrototypeHead,
    Similarity,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)
from fewshot_film.parts.normalization import (
    BatchNorm,
    GroupNorm,
    MetaBatchNorm,
    SupportBatchNorm,
    TaskNormInstance,
    TaskNormLayer,
    TransductiveBatchNorm,
    instance_norm,
    layer_norm,
)

CONDITIONINGS: dict[str, type[Conditioning]] = {
    "film": FiLM,
    "bias": Bias,
    "scale": Scale,
    "gate": Gate,
}
GENERATORS: dict[str, Callable[..., Generator]] = {
    "shared": SharedGenerator,
    "per-site": PerSiteGenerator,
}
ENCODER_PASSES: dict[str, EncoderPass] = {
    "counted": nullcontext,
    "uncounted": uncounted,
    "running": running,
}
EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    "conv4": Conv4,
    "resnet12": ResNet12,
    "wide-resnet12": wide_resnet12,
}
POOLINGS: dict[str, Pooling] = {"average": global_average, "flat": flattened}
NORMALIZATIONS: dict[str, NormalizationFactory] = {
    "running": BatchNorm,
    "support": SupportBatchNorm,
    "transductive": TransductiveBatchNorm,
    "meta": MetaBatchNorm,
    "task-norm-i": TaskNormInstance,
    "task-norm-l": TaskNormLayer,
    "layer": layer_norm,
    "instance": instance_norm,
    "group": GroupNorm,
}
SIMILARITIES: dict[str, tuple[Similarity, float]] = {
    "squared-euclidean": (negative_squared_euclidean, 1.0),
    "euclidean": (negative_euclidean, 1.0),
    "cosine": (cosine, 10.0),
}
"""name -> the similarity and where its metric scale starts."""
AUXILIARIES: dict[str, type[AuxiliaryLoss]] = {
    "instead": AuxiliaryInstead,
    "addition": AuxiliaryAddition,
}


def build(config: Config) -> Classifier:
    """The classifier that a Config describes, its weights drawn from the seed."""
    with seeded_weights(config.seed, 0):
        extractor = _extractor(config)
        features = TaskConditionedExtractor(extractor, _adapter(config, extractor))
        if config.objective == "classify":
            return SupervisedClassifier(features, _linear(config, extractor))
        return FewShotClassifier(features, _head(config))


def build_objective(config: Config, classifier: Classifier) -> Objective:
    """The query loss, and what a Config adds to it: naming attributes, co-training."""
    with seeded_weights(config.seed, 1):
        objective = _task_objective(config, classifier)
        if config.auxiliary == "none":
            return objective
        features = classifier.features.extractor.feature_dim(config.channels, config.size)
        classes = find_entry(config).source.classes["train"]
        return AUXILIARIES[config.auxiliary](objective, features, classes)


def _task_objective(config: Config, classifier: Classifier) -> Objective:
    """The query loss; with the attribute loss where tasks ask for one and an encoder learns it."""
    adapter = classifier.features.adapter
    encoder = adapter.encoder if isinstance(adapter, LearnedAdapter) else None
    factors = 0 if config.data else find_entry(config).factors
    if isinstance(encoder, DiscriminativeEncoder) and factors and config.attribute_weight:
        return AttributeLoss(encoder.embedding_dim, factors, config.attribute_weight)
    return QueryLoss()


def _extractor(config: Config) -> Extractor:
    # FiLM sites without parameters are transparent, and adaptive batch norm can use them later
    conditioning = CONDITIONINGS.get(config.conditioning, FiLM)
    return EXTRACTORS[config.extractor](
        conditioning,
        channels=config.channels,
        width=config.width,
        pixel_scale=config.pixel_scale,
        normalization=NORMALIZATIONS[config.normalization],
        **_resnet_choices(config),
    )


def _resnet_choices(config: Config) -> dict[str, Any]:
    """What a Config says of a ResNet-12 alone."""
    pooling = {"pooling": POOLINGS[config.pooling]} if config.pooling in POOLINGS else {}
    if config.extractor == "resnet12":
        return {"max_pools": config.max_pools, **pooling}
    if config.extractor == "wide-resnet12":
        return {"drop_side": config.drop_side or (2 if config.size <= 32 else 5), **pooling}
    return {}


def _adapter(config: Config, extractor: Extractor) -> Adapter:
    if config.conditioning == "none":
        return NoAdaptation()
    encoder = _encoder(config, extractor)
    generator = GENERATORS[config.generator](encoder.embedding_dim, extractor.identity())
    return LearnedAdapter(encoder, generator, ENCODER_PASSES[config.encoder_pass])


def _encoder(config: Config, extractor: Extractor) -> TaskEncoder:
    if config.encoder == "discriminative":
        return DiscriminativeEncoder(channels=config.channels, size=config.size)
    return PrototypeMean(extractor.feature_dim(config.channels, config.size))


def _linear(config: Config, extractor: Extractor) -> nn.Linear:
    """From features to the classes, which are the same in every split."""
    source = find_entry(config).source
    if not source.domains or len(set(source.classes.values())) > 1:
        raise UsageError(
            f"--objective classify tests the classes that it was trained on, {source.name} has "
            "others in its test; pass a data set that is divided by domains"
        )
    features = extractor.feature_dim(config.channels, config.size)
    return nn.Linear(features, source.classes["train"])


def _head(config: Config) -> PrototypeHead:
    similarity, start = SIMILARITIES[config.similarity]
    head = PrototypeHead(similarity, config.metric_scale_start or start)
    head.log_scale.requires_grad_(config.metric_scale == "learned")
    return head
