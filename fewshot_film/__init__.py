"""Few-shot learning with task-conditioned feature extractors.

import fewshot_film as ff
model = ff.load("runs/quickstart/film-0")
task = model.adapt(images, labels)  # a support set: (N, C, H, W) and N labels
task.classify(more_images)  # a list of those labels
"""

import os

# On a busy machine OpenMP's spinning threads can all but stop torch. The policy is read when
# torch is first imported, so it must be set before; a person's own setting is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from fewshot_film._version import __version__
from fewshot_film.base.seeding import generator
from fewshot_film.config.build import build
from fewshot_film.config.config import Config, default_config
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.measure.accuracy import Evaluation, evaluate
from fewshot_film.measure.audit import Audit, audit
from fewshot_film.measure.paired import paired
from fewshot_film.model.adapted import AdaptedClassifier, AdaptedExtractor
from fewshot_film.model.classifier import Classifier, FewShotClassifier, TaskConditionedExtractor
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import Adapter, AdaptiveBatchNorm, LearnedAdapter, NoAdaptation
from fewshot_film.parts.conditioning import Bias, Conditioning, FiLM, Gate, Scale, Unconditioned
from fewshot_film.parts.encoder import DiscriminativeEncoder, PrototypeMean, TaskEncoder
from fewshot_film.parts.extractor import Conv4, Extractor, ResNet12, wide_resnet12
from fewshot_film.parts.generator import Generator, PerSiteGenerator, SharedGenerator
from fewshot_film.parts.head import (
    PrototypeHead,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)
from fewshot_film.parts.normalization import (
    BatchNorm,
    GroupNorm,
    MetaBatchNorm,
    Normalization,
    SupportBatchNorm,
    TaskNormInstance,
    TaskNormLayer,
    TransductiveBatchNorm,
    instance_norm,
    layer_norm,
)
from fewshot_film.parts.statistics.alignment import correlation_alignment
from fewshot_film.parts.statistics.domain import DomainStatistics, with_statistics
from fewshot_film.parts.statistics.estimators import (
    adapt_batchnorm,
    layer_by_layer,
    one_pass,
    online,
)
from fewshot_film.report.train import train
from fewshot_film.runs.protocol import Protocol
from fewshot_film.runs.report import Report, evaluate_run
from fewshot_film.runs.run import Run, load
from fewshot_film.runs.selection import choose_by_validation
from fewshot_film.runs.trial import Question
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.plain import EpisodeSampler

__all__ = [
    "AdaptedClassifier",
    "AdaptedExtractor",
    "Adapter",
    "AdaptiveBatchNorm",
    "Audit",
    "BatchNorm",
    "Bias",
    "Classifier",
    "Conditioning",
    "Config",
    "Conv4",
    "DiscriminativeEncoder",
    "DomainStatistics",
    "Episode",
    "EpisodeSampler",
    "Evaluation",
    "Extractor",
    "FewShotClassifier",
    "FewShotError",
    "FiLM",
    "Gate",
    "Generator",
    "GroupNorm",
    "ImageSet",
    "LabeledSet",
    "LearnedAdapter",
    "MetaBatchNorm",
    "NoAdaptation",
    "Normalization",
    "PerSiteGenerator",
    "Protocol",
    "PrototypeHead",
    "PrototypeMean",
    "Question",
    "Report",
    "ResNet12",
    "Run",
    "Sampler",
    "Scale",
    "SharedGenerator",
    "SupervisedClassifier",
    "SupportBatchNorm",
    "TaskConditionedExtractor",
    "TaskEncoder",
    "TaskNormInstance",
    "TaskNormLayer",
    "TransductiveBatchNorm",
    "Unconditioned",
    "UsageError",
    "__version__",
    "adapt_batchnorm",
    "audit",
    "build",
    "choose_by_validation",
    "correlation_alignment",
    "cosine",
    "default_config",
    "evaluate",
    "evaluate_run",
    "generator",
    "instance_norm",
    "layer_by_layer",
    "layer_norm",
    "load",
    "negative_euclidean",
    "negative_squared_euclidean",
    "one_pass",
    "online",
    "paired",
    "train",
    "wide_resnet12",
    "with_statistics",
]
