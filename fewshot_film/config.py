"""Config: every choice of a run as one frozen value; build turns it into parts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fewshot_film.adaptation import Adapter, LearnedAdapter, NoAdaptation
from fewshot_film.catalog import FOLDER_DEFAULTS, Entry, entry, folder_entry
from fewshot_film.classifier import FewShotClassifier, TaskConditionedExtractor
from fewshot_film.conditioning import Bias, Conditioning, FiLM, Gate, Scale
from fewshot_film.encoder import DiscriminativeEncoder, PrototypeMean, TaskEncoder
from fewshot_film.episodes import check_counts
from fewshot_film.errors import UsageError
from fewshot_film.extractor import Conv4, Extractor, ResNet12
from fewshot_film.generator import Generator
from fewshot_film.head import (
    PrototypeHead,
    Similarity,
    cosine,
    negative_euclidean,
    negative_squared_euclidean,
)
from fewshot_film.objective import AttributeLoss, Objective, QueryLoss
from fewshot_film.seeding import seeded_weights

CONDITIONINGS: dict[str, type[Conditioning]] = {
    "film": FiLM,
    "bias": Bias,
    "scale": Scale,
    "gate": Gate,
}
EXTRACTORS: dict[str, type[Conv4] | type[ResNet12]] = {"conv4": Conv4, "resnet12": ResNet12}
SIMILARITIES: dict[str, tuple[Similarity, float]] = {
    "squared-euclidean": (negative_squared_euclidean, 1.0),
    "euclidean": (negative_euclidean, 1.0),
    "cosine": (cosine, 10.0),
}
"""name -> the similarity and where its learned scale starts."""

SMALLEST = 16
"""Pixels on a side that leave one after an extractor's four poolings."""


@dataclass(frozen=True)
class Config:
    """All that a run depends on: on a CPU, with one number of threads, down to the last bit."""

    dataset: str = "glyphs"
    """Data set to train on; `fewshot-film datasets` lists them."""
    data: str | None = None
    """A folder of class folders to train on instead of a named data set."""
    conditioning: Literal["film", "bias", "scale", "gate", "none"] = "film"
    """What stands at the extractor's sites: gamma * h + beta, h + beta, gamma * h, sigmoid(gate) *
    h, or nothing (a plain prototypical network)."""
    encoder: Literal["discriminative", "prototype-mean"] = "prototype-mean"
    """How a support set becomes a task embedding: by what separates its classes, or by the mean of
    its prototypes (TADAM)."""
    extractor: Literal["conv4", "resnet12"] = "conv4"
    """The network that embeds images."""
    width: int = 32
    """Channels of the extractor's first block."""
    similarity: Literal["squared-euclidean", "euclidean", "cosine"] = "squared-euclidean"
    """How queries are compared with prototypes (negated distances), times a learned scale."""
    way: int = 5
    """Classes a task."""
    shot: int = 1
    """Support images a class."""
    query: int = 5
    """Query images a class."""
    test_way: int = 5
    """Classes a task in validation and test."""
    tasks: int = 8
    """Tasks a training step."""
    steps: int = 2000
    """Training steps."""
    learning_rate: float = 2e-3
    """Peak learning rate of Adam; it rises over the first 2% of the steps, then falls to zero along
    a cosine."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    attribute_weight: float = 2.0
    """Weight of naming the asked attribute, for data sets whose tasks ask for one of several."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of training's convolutions and linear layers; weights, statistics and evaluation
    stay float32. On a CPU, bfloat16 collapses when other programs need the cores."""
    validate_every: int = 500
    """Steps from one validation, and checkpoint, to the next."""
    validation_episodes: int = 200
    """Episodes of a validation."""
    test_episodes: int = 1000
    """Episodes of the test that ends the run."""
    channels: int = 1
    """Channels of the images: 1 grey, 3 colour."""
    size: int = 28
    """Side of the square images; others are resized."""
    seed: int = 0
    """Seed of the weights and of every episode."""

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Config).items():
            _check_kind(name, getattr(self, name), kind)
        check_counts(way=self.way, test_way=self.test_way)
        counts = ("shot", "query", "tasks", "steps", "width", "validate_every", "size")
        check_counts(**{name: getattr(self, name) for name in (*counts, *_EPISODES)})
        if not self.learning_rate > 0:
            raise UsageError(f"--learning-rate is {self.learning_rate}; it must be above 0")
        for name in ("weight_decay", "attribute_weight", "seed"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"--{name.replace('_', '-')} is negative; pass 0 or more")
        if self.size < SMALLEST:
            raise UsageError(
                f"--size is {self.size}; the extractors halve images four times, pass {SMALLEST} "
                "or more"
            )
        if self.channels not in (1, 3):
            raise UsageError(f"--channels is {self.channels}; pass 1 (grey) or 3 (colour)")


_EPISODES = ("validation_episodes", "test_episodes")


def _check_kind(name: str, value: Any, kind: Any) -> None:
    """A field is of its type or one of its choices, whoever wrote it: a person or a file."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices:
        fits = value in choices
    else:
        fits = isinstance(value, int | float if kind is float else kind)
    if not fits or isinstance(value, bool):
        wanted = " or ".join(map(repr, choices)) or getattr(kind, "__name__", str(kind))
        raise UsageError(f"{name} is {value!r}; it must be {wanted}")


def default_config(dataset: str = "glyphs", data: str | None = None) -> Config:
    """The Config that suits a data set."""
    if data and dataset != Config().dataset:
        raise UsageError(f"--dataset {dataset} and --data {data} were both given; pass one of them")
    defaults = FOLDER_DEFAULTS if data else entry(dataset).defaults
    return replace(Config(), dataset=dataset, data=data, **defaults)


def find_entry(config: Config) -> Entry:
    """The data set of a Config."""
    if config.data:
        return folder_entry(Path(config.data), config.size, config.channels)
    return entry(config.dataset)


def build(config: Config) -> FewShotClassifier:
    """The classifier that a Config describes, its weights drawn from the seed."""
    with seeded_weights(config.seed, 0):
        extractor = _extractor(config)
        features = TaskConditionedExtractor(extractor, _adapter(config, extractor))
        return FewShotClassifier(features, PrototypeHead(*SIMILARITIES[config.similarity]))


def build_objective(config: Config, classifier: FewShotClassifier) -> Objective:
    """The query loss; with the attribute loss where tasks ask for one and an encoder learns it."""
    adapter = classifier.features.adapter
    encoder = adapter.encoder if isinstance(adapter, LearnedAdapter) else None
    factors = 0 if config.data else entry(config.dataset).factors
    if isinstance(encoder, DiscriminativeEncoder) and factors and config.attribute_weight:
        with seeded_weights(config.seed, 1):
            return AttributeLoss(encoder.embedding_dim, factors, config.attribute_weight)
    return QueryLoss()


def _extractor(config: Config) -> Extractor:
    # FiLM sites without parameters are transparent, and adaptive batch norm can use them later
    conditioning = CONDITIONINGS.get(config.conditioning, FiLM)
    network = EXTRACTORS[config.extractor]
    return network(conditioning, channels=config.channels, width=config.width)


def _adapter(config: Config, extractor: Extractor) -> Adapter:
    if config.conditioning == "none":
        return NoAdaptation()
    encoder = _encoder(config, extractor)
    return LearnedAdapter(encoder, Generator(encoder.embedding_dim, extractor.identity()))


def _encoder(config: Config, extractor: Extractor) -> TaskEncoder:
    if config.encoder == "discriminative":
        return DiscriminativeEncoder(channels=config.channels, size=config.size)
    return PrototypeMean(extractor.feature_dim(config.channels, config.size))


def to_json(config: Config) -> str:
    """Config -> JSON text."""
    return json.dumps(asdict(config), indent=2) + "\n"


def from_json(text: str, origin: str) -> Config:
    """JSON text -> Config, or an error that names `origin` and the field."""
    try:
        values: dict[str, Any] = json.loads(text)
        unknown = set(values) - {field.name for field in fields(Config)}
        if unknown:
            raise UsageError(f"unknown field {sorted(unknown)[0]!r}")
        return Config(**values)
    except (ValueError, TypeError, UsageError) as error:
        raise UsageError(f"{origin} is not a config this version can read: {error}") from error
