"""Few-shot learning with task-conditioned feature extractors.

import fewshot_film as ff
model = ff.load("glyphs-film")  # ships with the package; a run folder of your own loads alike
images, labels, queries, answers = ff.demo.glyphs("slant")
task = model.adapt(images, labels)  # a support set: (N, C, H, W) and N labels
task.classify(queries)  # a list of those labels

What people call, the base classes and the defaults are here; every other part is in the module of
its family: ff.conditioning.Gate, ff.extractor.wide_resnet12, ff.statistics.one_pass.
"""

import os

# On a busy machine OpenMP's spinning threads can all but stop torch. The policy is read when
# torch is first imported, so it must be set before; a person's own setting is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from fewshot_film import demo
from fewshot_film._version import __version__
from fewshot_film.config.build import build
from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import Config
from fewshot_film.config.machine import Machine
from fewshot_film.config.protocol import Question
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.audit import audit
from fewshot_film.measure.paired import paired
from fewshot_film.model.classifier import Classifier, FewShotClassifier, TaskConditionedExtractor
from fewshot_film.parts import (
    adaptation,
    conditioning,
    encoder,
    extractor,
    generator,
    head,
    normalization,
    statistics,
)
from fewshot_film.parts.adaptation import Adapter, AdaptiveBatchNorm, LearnedAdapter
from fewshot_film.parts.conditioning import Conditioning, FiLM
from fewshot_film.parts.encoder import DiscriminativeEncoder, TaskEncoder
from fewshot_film.parts.extractor import Conv4, Extractor, Preprocessing, condition
from fewshot_film.parts.generator import Generator, SharedGenerator
from fewshot_film.parts.head import Head, PrototypeHead
from fewshot_film.parts.normalization import Normalization
from fewshot_film.parts.statistics import adapt_batchnorm
from fewshot_film.report.train import train
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.runs.variants import load
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.plain import EpisodeSampler

__all__ = [
    "Adapter",
    "AdaptiveBatchNorm",
    "Classifier",
    "Conditioning",
    "Config",
    "Conv4",
    "DiscriminativeEncoder",
    "Episode",
    "EpisodeSampler",
    "Extractor",
    "FewShotClassifier",
    "FewShotError",
    "FiLM",
    "Generator",
    "Head",
    "ImageSet",
    "LabeledSet",
    "LearnedAdapter",
    "Machine",
    "Normalization",
    "Preprocessing",
    "PrototypeHead",
    "Question",
    "Run",
    "Sampler",
    "SharedGenerator",
    "TaskConditionedExtractor",
    "TaskEncoder",
    "UsageError",
    "__version__",
    "adapt_batchnorm",
    "adaptation",
    "audit",
    "build",
    "condition",
    "conditioning",
    "default_config",
    "demo",
    "encoder",
    "evaluate",
    "evaluate_run",
    "extractor",
    "generator",
    "head",
    "load",
    "normalization",
    "paired",
    "statistics",
    "train",
]
