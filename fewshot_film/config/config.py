"""Config: every choice of a run as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from fewshot_film.base.family import Family, near
from fewshot_film.base.values import Above, AtLeast, OneOf, checked
from fewshot_film.errors import UsageError
from fewshot_film.model.auxiliary import AUXILIARIES
from fewshot_film.model.objective import OBJECTIVES
from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.parts.conditioning import CONDITIONINGS
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.extractor import EXTRACTORS
from fewshot_film.parts.generator import GENERATORS
from fewshot_film.parts.head import HEADS
from fewshot_film.parts.normalization import NORMALIZATIONS
from fewshot_film.parts.optimizer import OPTIMIZERS
from fewshot_film.parts.schedule import SCHEDULES
from fewshot_film.tasks.transforms import AUGMENTATIONS

Count = Annotated[int, AtLeast(1)]
Way = Annotated[int, AtLeast(2)]
Seed = Annotated[int, AtLeast(0)]
Side = Annotated[int, AtLeast(16)]
Channels = Annotated[int, OneOf(((1, "grey"), (3, "colour")))]

QueryDraw = Literal["balanced", "uniform"]
"""As many queries of every class, or as many in all, drawn uniformly over the images of the task's
classes (TADAM)."""


@dataclass(frozen=True)
class Config:
    """All that a run depends on: on a CPU, with one number of threads, down to the last bit.

    A field whose annotation names a family holds a choice as text, with the options of the part
    that it names: "conv4:width=32".
    """

    dataset: str = "glyphs"
    """Data set to train on; `fewshot-film datasets` lists them."""
    data: str | None = None
    """A folder of class folders to train on instead of a named data set."""
    train_domains: str | None = None
    """Domains to learn from and to validate on, with commas between them, where a data set is
    divided by domains (default: all that are not tested)."""
    test_domains: str | None = None
    """Domains of the test (default: all that are not trained on)."""
    objective: Annotated[str, OBJECTIVES] = "episodes"
    """What is learned: tasks, or plain classification of all training classes by a linear layer."""
    adapter: Annotated[str, ADAPTERS] = "learned"
    """How a support set adapts the network: by a task encoder and a generator that are learned, by
    gradient descent, by the moments in its batch norms, or not at all: a plain prototypical
    network, or one whose sites learn the same for every task."""
    conditioning: Annotated[str, CONDITIONINGS] = "film"
    """What an adapter steers at the extractor's sites."""
    encoder: Annotated[str, ENCODERS] = "prototype-mean"
    """How a support set becomes a task embedding: by what separates its classes, or by the mean of
    its prototypes (TADAM)."""
    generator: Annotated[str, GENERATORS] = "shared"
    """How a task embedding becomes parameters: by one network for all sites, or by one for every
    site and parameter, each with a multiplier (TADAM)."""
    extractor: Annotated[str, EXTRACTORS] = "conv4:width=32"
    """The network that embeds images: Conv-4, TADAM's ResNet-12, MetaOptNet's with DropBlock, or
    one that others trained, such as efficientnet-lite0 or timm:NAME."""
    normalization: Annotated[str, NORMALIZATIONS] = "running"
    """Whose mean and variance normalise: of all training images (batch norm), of the support set in
    evaluation, of all that is asked together, of the support set in training too, of a learned
    mixture of support set and image (by channel or whole), or of each image alone."""
    head: Annotated[str, HEADS] = "squared-euclidean"
    """What is fitted on the support set's features and classifies the queries': their similarity to
    prototypes, a regression or a discriminant analysis, times the metric scale (TADAM's alpha)."""
    way: Way = 5
    """Classes a task."""
    shot: Count = 1
    """Support images a class."""
    query: Count = 5
    """Query images a class."""
    query_draw: QueryDraw = "balanced"
    """Training queries: as many of every class, or as many in all, drawn uniformly over the images
    of the task's classes (TADAM)."""
    test_way: Way = 5
    """Classes a task in validation and test."""
    tasks: Count = 8
    """Tasks a training step, or batches of classification."""
    pool: Annotated[int | None, AtLeast(1)] = None
    """Sets of images that training tasks are drawn from, each made once and asked in many ways
    (default: every task has images of its own). For pictures that are rendered for a task and read
    by a pretrained network, which takes longer than to learn from them."""
    augmentation: Annotated[str, AUGMENTATIONS] = "none"
    """What is done to training images: nothing, a flip and a crop out of a padded image, or the
    same with one offset for both axes (TADAM's code)."""
    auxiliary: Annotated[str, AUXILIARIES] = "none"
    """Co-training on all training classes, with a probability that falls from 0.9 to 0.12: instead
    of a step's tasks (TADAM's paper) or in addition to them (its code)."""
    steps: Count = 2000
    """Training steps."""
    optimizer: Annotated[str, OPTIMIZERS] = "adamw"
    """Decay is of matrices and convolutions; norms, biases and scales have none. A generator's
    matrices and its multipliers may have amounts of their own."""
    schedule: Annotated[str, SCHEDULES] = "cosine"
    """A rise over the first 2% of the steps, then a cosine down to zero; or tenfold drops at half
    of the steps, 2,500 and 5,000 steps later (TADAM)."""
    learning_rate: Annotated[float, Above(0)] = 2e-3
    """Peak learning rate."""
    clip_norm: Annotated[float | None, Above(0)] = None
    """Largest norm of the gradient; a longer one is shortened to it."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of training's convolutions and linear layers; weights, statistics and evaluation
    stay float32. A device that cannot compute in bfloat16 trains in float32 all the same. On a CPU,
    bfloat16 collapses when other programs need the cores."""
    validate_every: Count = 500
    """Steps from one validation, and checkpoint, to the next."""
    validation_episodes: Count = 200
    """Episodes of a validation."""
    test_episodes: Count = 1000
    """Episodes of the test that ends the run."""
    channels: Channels = 1
    """Channels of the images: 1 grey, 3 colour."""
    size: Side = 28
    """Side of the square images; others are resized."""
    seed: Seed = 0
    """Seed of the weights and of every episode."""

    def __post_init__(self) -> None:
        for name, hint in hints().items():
            value = checked(name, getattr(self, name), hint)
            family = FAMILIES.get(name)
            object.__setattr__(self, name, str(family.read(value)) if family else value)
        for name, why in idle_fields(self.objective, self.adapter, self.extractor).items():
            if getattr(self, name) != PLAIN[name]:
                remedy = "leave it out" if name != "adapter" else "pass `adapter=none`"
                raise UsageError(f"`{name}` is {getattr(self, name)}, and {why}; {remedy}")

    @property
    def classifies(self) -> bool:
        """Whether classes are learned, not tasks."""
        return OBJECTIVES.read(self.objective).name == "classify"


def idle_fields(objective: str, adapter: str, extractor: str) -> dict[str, str]:
    """field -> why nothing that is built depends on it, under these choices."""
    idle: dict[str, str] = {}
    if not EXTRACTORS.read(extractor).takes("normalization"):
        idle["normalization"] = f"extractor {extractor} has norms of its own"
    chosen = ADAPTERS.read(adapter)
    takes = {name: chosen.takes(name) for name in ("encoder", "generator")}
    takes["conditioning"] = chosen.takes("generator") or chosen.takes("identity")
    why = f"adapter {adapter} generates no parameters"
    idle |= {name: why for name, taken in takes.items() if not taken}
    if OBJECTIVES.read(objective).name == "classify":
        why = "objective classify learns no tasks with support sets"
        names = ("adapter", "conditioning", "encoder", "generator")
        idle |= dict.fromkeys((*names, "way", "query_draw", "pool", "head", "auxiliary"), why)
    return idle


def suited(defaults: Config, **choices: Any) -> Config:
    """`defaults` with these choices in their place.

    Of the defaults, what the choices leave without an effect goes; a choice without one is refused.
    """
    if unknown := [name for name in choices if name not in PLAIN]:
        raise UsageError(f"a Config has no field {unknown[0]!r}; {near(unknown[0], PLAIN)}")
    chosen = {name: value for name, value in choices.items() if value != getattr(defaults, name)}
    merged = asdict(defaults) | chosen
    deciding = ("objective", "adapter", "extractor")
    idle = idle_fields(*(checked(name, merged[name], str) for name in deciding))
    return Config(**merged | {name: PLAIN[name] for name in idle if name not in chosen})


@cache
def hints() -> dict[str, Any]:
    """field -> its annotation, bounds and family included."""
    return get_type_hints(Config, include_extras=True)


def _families() -> dict[str, Family[Any]]:
    """field -> the family that its annotation names."""
    beside = ((name, x) for name, hint in hints().items() for x in get_args(hint))
    return {name: found for name, found in beside if isinstance(found, Family)}


FAMILIES = _families()
"""field of Config -> the family that it chooses from, in the order of the fields."""
PLAIN = {field.name: field.default for field in fields(Config)} | {"adapter": "none"}
"""field -> what it holds where nothing depends on it."""
