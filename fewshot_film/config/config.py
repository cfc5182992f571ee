"""Config: every choice of a run as one frozen value."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fewshot_film.config.catalog import FOLDER_DEFAULTS, Entry, entry, folder_entry
from fewshot_film.errors import UsageError, check_counts

SMALLEST = 16
"""Pixels on a side that leave one after an extractor's four poolings."""


@dataclass(frozen=True)
class Config:
    """All that a run depends on: on a CPU, with one number of threads, down to the last bit."""

    dataset: str = "glyphs"
    """Data set to train on; `fewshot-film datasets` lists them."""
    data: str | None = None
    """A folder of class folders to train on instead of a named data set."""
    train_domains: str | None = None
    """Domains to learn from and to validate on, with commas between them, where a data set is
    divided by domains (default: all that are not tested)."""
    test_domains: str | None = None
    """Domains of the test (default: all that are not trained on)."""
    objective: Literal["episodes", "classify"] = "episodes"
    """What is learned: tasks, or plain classification of all training classes by a linear layer
    (for data sets whose domains, not classes, are divided; tests are of the same classes)."""
    batch_images: int = 128
    """Images of a batch, which takes the place of a task in --objective classify."""
    conditioning: Literal["film", "bias", "scale", "gate", "none"] = "film"
    """What stands at the extractor's sites: gamma * h + beta, h + beta, gamma * h, sigmoid(gate) *
    h, or nothing (a plain prototypical network)."""
    encoder: Literal["discriminative", "prototype-mean"] = "prototype-mean"
    """How a support set becomes a task embedding: by what separates its classes, or by the mean of
    its prototypes (TADAM)."""
    generator: Literal["shared", "per-site"] = "shared"
    """How a task embedding becomes parameters: by one network for all sites, or by one for every
    site and parameter, each with a multiplier (TADAM)."""
    encoder_pass: Literal["counted", "uncounted", "running"] = "counted"
    """Whether the prototype-mean encoder's own pass over the support set feeds the running
    statistics of batch norm (TADAM's code), leaves them alone, or already is normalised by them in
    training, so that a task's embedding depends on no other task of the batch."""
    extractor: Literal["conv4", "resnet12", "wide-resnet12"] = "conv4"
    """The network that embeds images: Conv-4, TADAM's ResNet-12, or MetaOptNet's with DropBlock."""
    normalization: Literal[
        "running",
        "support",
        "transductive",
        "meta",
        "task-norm-i",
        "task-norm-l",
        "layer",
        "instance",
        "group",
    ] = "running"
    """Whose mean and variance normalise: of all training images (batch norm), of the support set in
    evaluation, of all that is asked together, of the support set in training too, of a learned
    mixture of support set and image (by channel or whole), or of each image alone."""
    width: int = 32
    """Channels of the extractor's first block."""
    max_pools: int = 4
    """Blocks of resnet12 that end in a max-pool: 4 in TADAM's paper, 3 in its code."""
    drop_side: int | None = None
    """Side of the squares that wide-resnet12 drops (default: MetaOptNet's, 2 for images of up to 32
    pixels and 5 for larger ones)."""
    pooling: Literal["published", "average", "flat"] = "published"
    """How a ResNet-12's last maps become features: as published (averaged in resnet12, flat in
    wide-resnet12), averaged, or flat."""
    pixel_scale: float = 1.0
    """Pixels reach the network in [0, pixel_scale]: 255 in TADAM's code."""
    similarity: Literal["squared-euclidean", "euclidean", "cosine"] = "squared-euclidean"
    """How queries are compared with prototypes (negated distances), times the metric scale."""
    metric_scale: Literal["learned", "fixed"] = "learned"
    """Whether the metric scale, TADAM's alpha, is learned or stays where it starts."""
    metric_scale_start: float | None = None
    """Where the metric scale starts (default: what suits the similarity)."""
    way: int = 5
    """Classes a task."""
    shot: int = 1
    """Support images a class."""
    query: int = 5
    """Query images a class."""
    query_draw: Literal["balanced", "uniform"] = "balanced"
    """Training queries: as many of every class, or as many in all, drawn uniformly over the images
    of the task's classes (TADAM)."""
    test_way: int = 5
    """Classes a task in validation and test."""
    tasks: int = 8
    """Tasks a training step."""
    augmentation: Literal["none", "flip-crop", "flip-crop-diagonal"] = "none"
    """What is done to training images: nothing, a flip and a crop out of a padded image, or the
    same with one offset for both axes (TADAM's code)."""
    auxiliary: Literal["none", "instead", "addition"] = "none"
    """Co-training on all training classes, with a probability that falls from 0.9 to 0.12: instead
    of a step's tasks (TADAM's paper) or in addition to them (its code)."""
    auxiliary_batch: int = 64
    """Images of a co-training batch."""
    steps: int = 2000
    """Training steps."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with momentum 0.9."""
    schedule: Literal["cosine", "drops"] = "cosine"
    """A rise over the first 2% of the steps, then a cosine down to zero; or tenfold drops at half
    of the steps, 2,500 and 5,000 steps later (TADAM)."""
    learning_rate: float = 2e-3
    """Peak learning rate."""
    weight_decay: float = 0.0
    """Decay of matrices and convolutions; norms, biases and scales have none. It is decoupled in
    AdamW and an L2 penalty in SGD."""
    generator_decay: float | None = None
    """Decay of the generator's matrices (default: weight_decay)."""
    multiplier_decay: float = 0.0
    """Decay of the generator's multipliers (0.01 in TADAM)."""
    clip_norm: float | None = None
    """Largest norm of the gradient; a longer one is shortened to it."""
    attribute_weight: float = 2.0
    """Weight of naming the asked attribute, for data sets whose tasks ask for one of several."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of training's convolutions and linear layers; weights, statistics and evaluation
    stay float32. A device that cannot compute in bfloat16 trains in float32 all the same. On a CPU,
    bfloat16 collapses when other programs need the cores."""
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
        check_counts(**{name: getattr(self, name) for name in _COUNTS})
        self._check_amounts()
        self._check_used()
        if self.size < SMALLEST:
            raise UsageError(
                f"--size is {self.size}; the extractors halve images four times, pass {SMALLEST} "
                "or more"
            )
        if self.channels not in (1, 3):
            raise UsageError(f"--channels is {self.channels}; pass 1 (grey) or 3 (colour)")

    def _check_amounts(self) -> None:
        """Numbers are where they make sense."""
        decays = ("weight_decay", "generator_decay", "multiplier_decay")
        for name in (*decays, "attribute_weight", "seed"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UsageError(f"--{name.replace('_', '-')} is negative; pass 0 or more")
        if self.drop_side is not None:
            check_counts(drop_side=self.drop_side)
        for name in ("learning_rate", "pixel_scale", "metric_scale_start", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be above 0")

    def _check_used(self) -> None:
        """What the extractor, encoder or objective of choice has no use for is refused."""
        for name, extractors in _OF_EXTRACTORS.items():
            if getattr(self, name) != getattr(Config, name) and self.extractor not in extractors:
                raise UsageError(
                    f"--{name.replace('_', '-')} is of {' and '.join(extractors)}, --extractor is "
                    f"{self.extractor}; leave it out"
                )
        if self.encoder_pass != "counted" and self.encoder != "prototype-mean":
            raise UsageError(
                f"--encoder-pass is of prototype-mean, --encoder is {self.encoder}; leave it out"
            )
        if self.encoder_pass != "counted" and self.normalization not in ("running", "support"):
            raise UsageError(
                f"--encoder-pass is of running statistics, --normalization {self.normalization} "
                "has none; leave it out"
            )
        if self.objective == "classify":
            self._check_classify()
        elif self.batch_images != Config.batch_images:
            raise UsageError("--batch-images is of --objective classify; leave it out")

    def _check_classify(self) -> None:
        """Batches of single images have no support set."""
        if self.conditioning != "none":
            raise UsageError(
                f"--objective classify has no tasks for --conditioning {self.conditioning} to "
                "follow; pass --conditioning none"
            )
        if self.auxiliary != "none":
            raise UsageError(
                f"--objective classify is what --auxiliary {self.auxiliary} adds; leave it out"
            )
        for name in ("query_draw", "similarity", "metric_scale", "metric_scale_start"):
            if getattr(self, name) != getattr(Config, name):
                raise UsageError(
                    f"--objective classify has no use for --{name.replace('_', '-')}; leave it out"
                )
        if self.normalization in ("transductive", "meta", "task-norm-i", "task-norm-l"):
            raise UsageError(
                f"--objective classify has no support sets for --normalization "
                f"{self.normalization}; pass running, support, layer, instance or group"
            )


_OF_EXTRACTORS = {
    "max_pools": ("resnet12",),
    "drop_side": ("wide-resnet12",),
    "pooling": ("resnet12", "wide-resnet12"),
}
_COUNTS = (
    "shot",
    "query",
    "tasks",
    "steps",
    "width",
    "validate_every",
    "size",
    "auxiliary_batch",
    "batch_images",
    "max_pools",
    "validation_episodes",
    "test_episodes",
)


def _check_kind(name: str, value: Any, kind: Any) -> None:
    """A field is of its type or one of its choices, whoever wrote it: a person or a file."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices:
        fits = value in choices
    else:
        takes_float = kind is float or float in get_args(kind)
        fits = isinstance(value, kind | int if takes_float else kind)
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
