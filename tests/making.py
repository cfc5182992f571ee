"""Small random inputs and lived-in models, each a function of its seed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import config as jaxtyping_config
from torch import Tensor, nn

from fewshot_film.base.family import options_of
from fewshot_film.config.build import build
from fewshot_film.config.config import FAMILIES, Config, suited
from fewshot_film.data.image_set import ImageSet
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.conditioning import CONDITIONINGS, TaskParams
from fewshot_film.parts.extractor import EXTRACTORS, Extractor, Site, pretrained
from fewshot_film.parts.normalization import NORMALIZATIONS
from fewshot_film.tasks.episode import Episode, LabeledSet

OWN_EXTRACTORS = tuple(
    name
    for name, part in EXTRACTORS.parts.items()
    if not part.__module__.startswith(pretrained.__name__)
)
"""All but the networks that others trained, which ask for a package, a hub or a person's file."""

SIZE = 16
BLOCKS = 5
SMALL = {"width": 4, "embedding_dim": 6, "hidden_dim": 16}
"""What the options of these names are in the tests, whatever part has them."""

DEFAULTS = Config(
    extractor="conv4:width=4",
    encoder="discriminative:embedding_dim=6,width=4",
    generator="shared:hidden_dim=16",
    head="squared-euclidean:scale=0.5",
    size=SIZE,
)
"""What `classifier` is made of unless told otherwise."""


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the checks of annotations: as a person runs it, and as torch.export can follow."""
    before = jaxtyping_config.jaxtyping_disable
    jaxtyping_config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping_config.update("jaxtyping_disable", before)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*batch: int, channels: int = 1, size: int = SIZE, seed: int = 0) -> Tensor:
    """(*batch, channels, size, size) in [0, 1]."""
    return _blocks(*batch, channels, size, rng=seeded(seed))


def _blocks(*shape: int, rng: torch.Generator) -> Tensor:
    """(..., size, size) in blocks of equal pixels: finer noise looks alike to every network."""
    *batch, size = shape
    side = torch.arange(size) * BLOCKS // size
    values = torch.rand(*batch, BLOCKS, BLOCKS, generator=rng)
    return values[..., side, :][..., side].contiguous()


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
    images = _blocks(tasks, way * each, channels, SIZE, rng=rng)
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
    """As training might leave it: no weight at the one value that it starts at all over.

    Those are norms, biases and multipliers; numbers that stand alone move less.
    """
    rng = seeded(seed)
    for weight in module.parameters():
        if bool((weight == weight.flatten()[0]).all()):
            nn.init.normal_(weight, std=1.0 if weight.ndim else 0.3, generator=rng)


def calibrate(module: nn.Module, run: Callable[[Tensor], object]) -> None:
    """Running statistics of (1, 32) images that are brighter than those of the tests."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    mode = module.training
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()
        run(1.5 * pictures(1, 32, seed=99) + 0.5)
        module.train(mode)
    for norm in norms:
        norm.momentum = 0.1


def small(field: str, text: str) -> str:
    """The choice of a Config's field, the options of SMALL set that it leaves at their defaults."""
    choice = FAMILIES[field].read(text)
    options = {key: SMALL[key] for key in SMALL.keys() & options_of(choice.part).keys()}
    return str(FAMILIES[field].choose(choice.name, options | dict(choice.set_options)))


def extractor(
    name: str = "conv4",
    conditioning: str = "film",
    normalization: str = "running",
    seed: int = 0,
    channels: int = 1,
) -> Extractor:
    """A narrow extractor in evaluation mode, its statistics and norms lived-in."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = EXTRACTORS.read(small("extractor", name))(
            conditioning=CONDITIONINGS.read(conditioning).maker,
            normalization=NORMALIZATIONS.read(normalization).maker,
            channels=channels,
            size=SIZE,
        )
        _live(made, seed, channels)
    return made.eval()


def classifier(*, seed: int = 0, **choices: str) -> FewShotClassifier:
    """What a Config of DEFAULTS and these choices describes, narrow, lived-in, evaluating."""
    chosen = {field: small(field, text) for field, text in choices.items()}
    made = build(suited(DEFAULTS, seed=seed, **chosen))
    assert isinstance(made, FewShotClassifier)
    net, adapter = made.features.extractor, made.features.adapter.trained
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _live(net, seed)
        net.eval()
        lived_in(adapter, seed)
        if isinstance(adapter, LearnedAdapter):
            encoder, labels = adapter.encoder, torch.arange(32).remainder(4).unsqueeze(0)
            calibrate(encoder, lambda images: encoder(LabeledSet(images, labels), 4, net))
    return made.eval()


def _live(net: Extractor, seed: int, channels: int = 1) -> None:
    lived_in(net, seed)
    calibrate(net, lambda images: net(images.expand(-1, -1, channels, -1, -1)))


def task_params(
    extractor: Extractor, tasks: int, seed: int = 0, channels: int = 1, spread: float = 1.0
) -> TaskParams:
    """Random parameters for every site, away from identity, and what its norms keep."""
    rng = seeded(seed)
    steered = {
        site: {
            name: value + spread * torch.randn(tasks, *value.shape, generator=rng)
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


def plain_visit(name: str, site: Site, h: Tensor) -> Tensor:
    """Through a site without a task; h has no task axis."""
    del name
    out: Tensor = site(h.unsqueeze(0), {})
    return out.squeeze(0)


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
