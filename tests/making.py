"""Small random inputs and lived-in models, each a function of its seed."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from fewshot_film.config.build import NORMALIZATIONS as EVERY_NORMALIZATION
from fewshot_film.data.image_set import ImageSet
from fewshot_film.model.classifier import FewShotClassifier, TaskConditionedExtractor
from fewshot_film.parts.adaptation import Adapter, AdaptiveBatchNorm, LearnedAdapter, NoAdaptation
from fewshot_film.parts.conditioning import FiLM, TaskParams
from fewshot_film.parts.encoder import DiscriminativeEncoder, PrototypeMean
from fewshot_film.parts.extractor import Conv4, Extractor, ResNet12, wide_resnet12
from fewshot_film.parts.extractor.base import ConditioningFactory
from fewshot_film.parts.generator import Generator, PerSiteGenerator, SharedGenerator
from fewshot_film.parts.generator.per_site import ParameterNetwork
from fewshot_film.parts.head import PrototypeHead
from fewshot_film.parts.normalization import MetaBatchNorm, TransductiveBatchNorm
from fewshot_film.parts.normalization.task_norm import TaskNorm
from fewshot_film.tasks.episode import Episode, LabeledSet

SIZE = 16
NORMS = (nn.BatchNorm2d, nn.GroupNorm, MetaBatchNorm, TransductiveBatchNorm, TaskNorm)

NORMALIZATIONS = {name: made for name, made in EVERY_NORMALIZATION.items() if name != "running"}
EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    "conv4": Conv4,
    "resnet12": ResNet12,
    "wide-resnet12": wide_resnet12,
    **{f"conv4 {name}": partial(Conv4, normalization=n) for name, n in NORMALIZATIONS.items()},
    **{
        f"resnet12 {name}": partial(ResNet12, normalization=n) for name, n in NORMALIZATIONS.items()
    },
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*batch: int, channels: int = 1, size: int = SIZE, seed: int = 0) -> Tensor:
    """(*batch, channels, size, size) in [0, 1]."""
    return torch.rand(*batch, channels, size, size, generator=seeded(seed))


def image_set(counts: list[int], domains: int = 1, size: int = 4, seed: int = 0) -> ImageSet:
    """counts[c] images of class c, shuffled; image i's first two pixels spell i."""
    rng = seeded(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=rng)]
    images = torch.randint(0, 256, (len(labels), 1, size, size), generator=rng).byte()
    number = torch.arange(len(labels))
    images[:, 0, 0, 0], images[:, 0, 0, 1] = (number // 256).byte(), (number % 256).byte()
    return ImageSet(
        images,
        labels,
        tuple(f"class{c}" for c in range(len(counts))),
        torch.randint(domains, (len(labels),), generator=rng),
        tuple(f"domain{d}" for d in range(domains)),
    )


def numbers(images: Tensor) -> Tensor:
    """The numbers that `image_set` wrote into its images, read from floats in [0, 1]."""
    pixels = (images[..., 0, 0, :2] * 255).round().long()
    return pixels[..., 0] * 256 + pixels[..., 1]


def labeled(tasks: int, way: int, each: int, seed: int = 0, channels: int = 1) -> LabeledSet:
    """`each` random images of every class, classes in an order of their own in every task."""
    rng = seeded(seed)
    keys = torch.rand(tasks, way * each, generator=rng)
    images = torch.rand(tasks, way * each, channels, SIZE, SIZE, generator=rng)
    return LabeledSet(images, keys.argsort(1) % way)


def episode(tasks: int = 3, way: int = 3, shot: int = 2, query: int = 2, seed: int = 0) -> Episode:
    return Episode(
        labeled(tasks, way, shot, seed),
        labeled(tasks, way, query, seed + 1),
        way,
        torch.arange(way).expand(tasks, -1),
        torch.zeros(tasks, dtype=torch.int64),
    )


def lived_in(module: nn.Module, seed: int = 0) -> None:
    """Norms and post-multipliers as training might leave them, with weights of both signs."""
    rng = seeded(seed)
    for m in module.modules():
        if isinstance(m, NORMS):
            nn.init.normal_(m.weight, generator=rng)
            nn.init.normal_(m.bias, generator=rng)
        if isinstance(m, TaskNorm):
            nn.init.normal_(m.slope, std=0.1, generator=rng)
            nn.init.normal_(m.offset, generator=rng)
        if isinstance(m, Generator):
            for multiplier in m.multipliers():
                nn.init.normal_(multiplier, generator=rng)
        if isinstance(m, ParameterNetwork):
            for layer in m.layers:
                nn.init.normal_(layer.bias, generator=rng)
        if isinstance(m, DiscriminativeEncoder):
            m.within.uniform_(0.5, 2, generator=rng)
            calibrate(m, m.embed)


def calibrate(module: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
    """Running statistics of images that are brighter than those of the tests."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    mode = module.training
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()
        forward(1.5 * pictures(1, 32, seed=99) + 0.5)
        module.train(mode)
    for norm in norms:
        norm.momentum = 0.1


def extractor(
    name: str = "conv4", conditioning: ConditioningFactory = FiLM, seed: int = 0, channels: int = 1
) -> Extractor:
    """A narrow extractor in evaluation mode, its statistics and norms lived-in."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = EXTRACTORS[name](conditioning, channels=channels, width=4)
        lived_in(made, seed)
        calibrate(made, lambda images: made(images.expand(-1, -1, channels, -1, -1)))
    return made.eval()


def adapter(name: str, extractor: Extractor) -> Adapter:
    """An adapter of the catalogue for this extractor of one-channel images."""
    if name == "none":
        return NoAdaptation()
    if name == "adaptive-batch-norm":
        return AdaptiveBatchNorm()
    if name == "tadam":
        feature_dim = extractor.feature_dim(1, SIZE)
        generator = PerSiteGenerator(feature_dim, extractor.identity())
        return LearnedAdapter(PrototypeMean(feature_dim), generator)
    encoder = (
        DiscriminativeEncoder(size=SIZE, width=4, embedding_dim=6)
        if name == "discriminative"
        else PrototypeMean(extractor.feature_dim(1, SIZE))
    )
    shared = SharedGenerator(encoder.embedding_dim, extractor.identity(), hidden_dim=16)
    return LearnedAdapter(encoder, shared)


def classifier(
    adaptation: str = "discriminative",
    name: str = "conv4",
    conditioning: ConditioningFactory = FiLM,
    seed: int = 0,
) -> FewShotClassifier:
    """A whole classifier in evaluation mode, lived-in."""
    made = extractor(name, conditioning, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = TaskConditionedExtractor(made, adapter(adaptation, made))
    lived_in(features.adapter, seed)
    return FewShotClassifier(features, PrototypeHead(scale=0.5)).eval()


def task_params(extractor: Extractor, tasks: int, seed: int = 0, channels: int = 1) -> TaskParams:
    """Random parameters for every site, away from identity, and what its norms keep."""
    rng = seeded(seed)
    steered = {
        site: {
            name: value + torch.randn(tasks, *value.shape, generator=rng)
            for name, value in params.items()
        }
        for site, params in extractor.identity().items()
    }
    return with_description(extractor, steered, tasks, channels)


def with_description(
    extractor: Extractor, params: TaskParams, tasks: int, channels: int
) -> TaskParams:
    """The parameters, and what the extractor keeps of some random support sets."""
    if not extractor.keeps:
        return params
    with torch.no_grad():
        return extractor.described(pictures(tasks, 5, channels=channels, seed=7), params)


def of_tasks(params: TaskParams, tasks: slice) -> TaskParams:
    """Those tasks' parameters."""
    return {site: {n: v[tasks] for n, v in values.items()} for site, values in params.items()}


def identity_params(extractor: Extractor, tasks: int) -> TaskParams:
    """Every site's neutral parameters, once for each task."""
    return {
        site: {name: value.expand(tasks, *value.shape) for name, value in params.items()}
        for site, params in extractor.identity().items()
    }


def task(episode: Episode, t: int) -> Episode:
    """One task of the batch, the task axis kept."""
    one = slice(t, t + 1)
    return Episode(
        chosen(episode.support, one),
        chosen(episode.query, one),
        episode.way,
        episode.class_ids[one],
        episode.group[one],
    )


def chosen(labeled: LabeledSet, tasks: slice, examples: Tensor | slice = slice(None)) -> LabeledSet:
    """Some tasks and some of their examples, in the order given."""
    return LabeledSet(labeled.images[tasks][:, examples], labeled.labels[tasks][:, examples])
