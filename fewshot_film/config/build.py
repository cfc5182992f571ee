"""Config -> the parts that it names, put together: a classifier and what its training minimises."""

from __future__ import annotations

from torch import nn

from fewshot_film.base.seeding import seeded_weights
from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.model.auxiliary import AUXILIARIES
from fewshot_film.model.classifier import Classifier, FewShotClassifier, TaskConditionedExtractor
from fewshot_film.model.naming import AttributeLoss
from fewshot_film.model.objective import OBJECTIVES, FromEpisodes, Objective, QueryLoss
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import ADAPTERS, Adapter, LearnedAdapter
from fewshot_film.parts.conditioning import CONDITIONINGS
from fewshot_film.parts.encoder import ENCODERS, TaskEncoder
from fewshot_film.parts.extractor import EXTRACTORS, Extractor
from fewshot_film.parts.generator import GENERATORS
from fewshot_film.parts.head import HEADS, Head
from fewshot_film.parts.normalization import NORMALIZATIONS

NAMING = 2.0
"""What naming the asked attribute weighs unless a Config says it."""


def build(config: Config, classes: int | None = None) -> Classifier:
    """The classifier that a Config describes, its weights drawn from the seed.

    `classes` counts those of the training, where the objective is to classify them.
    """
    with seeded_weights(config.seed, 0):
        extractor, head = _extractor(config), HEADS.read(config.head)()
        features = TaskConditionedExtractor(extractor, _adapter(config, extractor, head))
        if config.classifies:
            return SupervisedClassifier(features, _linear(config, extractor, classes))
        return FewShotClassifier(features, head)


def build_objective(config: Config, classifier: Classifier, problem: Problem) -> Objective:
    """The query loss, and what a Config adds to it: naming attributes, co-training."""
    with seeded_weights(config.seed, 1):
        extractor = classifier.features.extractor
        return AUXILIARIES.read(config.auxiliary)(
            tasks=_task_objective(config, classifier.features.adapter, problem),
            feature_dim=extractor.feature_dim(config.channels, config.size),
            classes=problem.entry.source.classes["train"],
        )


def _extractor(config: Config) -> Extractor:
    made = EXTRACTORS.read(config.extractor)(
        # sites without parameters are transparent, and adaptive batch norm can use them later
        conditioning=CONDITIONINGS.read(config.conditioning).maker,
        normalization=NORMALIZATIONS.read(config.normalization).maker,
        channels=config.channels,
        size=config.size,
    )
    if made.channels not in (None, config.channels):
        raise UsageError(
            f"`channels` is {config.channels}, and extractor {config.extractor} takes images of "
            f"{made.channels}; pass `channels={made.channels}`"
        )
    if config.classifies and made.needs_support:
        raise UsageError(
            f"objective classify has no support sets for `normalization` {config.normalization}; "
            "pass one that needs none, such as running, support, layer, instance or group"
        )
    return made


def _adapter(config: Config, extractor: Extractor, head: Head) -> Adapter:
    chosen, identity = ADAPTERS.read(config.adapter), extractor.identity()
    if not chosen.takes("generator"):
        return chosen(identity=identity, head=head)
    encoder = _encoder(config, extractor)
    generator = GENERATORS.read(config.generator)(
        embedding_dim=encoder.embedding_dim, identity=identity
    )
    return chosen(encoder=encoder, generator=generator, identity=identity, head=head)


def _encoder(config: Config, extractor: Extractor) -> TaskEncoder:
    chosen = ENCODERS.read(config.encoder)
    if extractor.reads and chosen.takes("channels"):
        raise UsageError(
            f"`encoder` {config.encoder} looks at pixels, and extractor {config.extractor} reads "
            "every image once, after which there are none; pass `encoder=feature-contrast`"
        )
    made = chosen(
        channels=config.channels,
        size=config.size,
        feature_dim=extractor.feature_dim(config.channels, config.size),
    )
    if made.steers_statistics and not extractor.counts:
        raise UsageError(
            f"`encoder` {config.encoder} is for running statistics, `normalization` "
            f"{config.normalization} has none; leave its statistics out"
        )
    return made


def _linear(config: Config, extractor: Extractor, classes: int | None) -> nn.Linear:
    """From features to the classes, which are the same in every split."""
    if classes is None:
        raise FewShotError("objective classify learns a fixed number of classes; pass `classes`")
    return nn.Linear(extractor.feature_dim(config.channels, config.size), classes)


def _task_objective(config: Config, adapter: Adapter, problem: Problem) -> Objective:
    """The query loss; with the attribute loss where tasks ask for one and an encoder learns it."""
    asked = OBJECTIVES.read(config.objective)()
    weight = asked.attribute_weight if isinstance(asked, FromEpisodes) else 0.0
    learned = adapter.trained
    encoder = learned.encoder if isinstance(learned, LearnedAdapter) else None
    able = encoder is not None and problem.factors > 0
    if weight and not able:
        why = "no encoder learns here" if problem.factors else f"{problem.name} asks for none"
        raise UsageError(
            f"`objective` {config.objective} is to name the attribute that a task asks for, and "
            f"{why}; leave the weight out"
        )
    if weight is None:
        weight = NAMING if able and encoder and encoder.tells_labellings else 0.0
    if not weight or encoder is None:
        return QueryLoss()
    return AttributeLoss(encoder.embedding_dim, problem.factors, weight)
