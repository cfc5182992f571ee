"""The laws of design.md, for every mechanism, extractor and adapter of the catalogue."""

import copy
import io
import pickle
from dataclasses import replace
from itertools import product

import making
import pytest
import torch
from jaxtyping import config as jaxtyping_config
from torch import Tensor, nn

from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.conditioning import Bias, Conditioning, FiLM, Gate, Scale
from fewshot_film.parts.extractor import DropBlock
from fewshot_film.parts.generator import Generator
from fewshot_film.tasks.episode import Episode

Mechanism = type[Conditioning]

MECHANISMS: tuple[Mechanism, ...] = (FiLM, Bias, Scale, Gate)
NEUTRAL: tuple[Mechanism, ...] = (FiLM, Bias, Scale)
EXTRACTORS = ("conv4", "resnet12", "wide-resnet12")
NORMALIZED = (
    *(f"conv4 {name}" for name in making.NORMALIZATIONS),
    "resnet12 meta",
    "resnet12 task-norm-i",
)
"""Extractors with another normalization than running batch norm."""
LEARNED = ("discriminative", "prototype-mean", "tadam")
UNLEARNED = ("none", "adaptive-batch-norm")
ADAPTERS = (*LEARNED, *UNLEARNED)

NETWORKS = [*product(EXTRACTORS, MECHANISMS), *product(NORMALIZED, (FiLM,))]
LEARNED_CASES = [
    *product(LEARNED, EXTRACTORS, MECHANISMS),
    *product(("discriminative", "tadam"), NORMALIZED, (FiLM,)),
]
CASES = [
    *LEARNED_CASES,
    *product(UNLEARNED, EXTRACTORS, (FiLM,)),
    *product(("none",), NORMALIZED, (FiLM,)),
]

every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)
every_network = pytest.mark.parametrize(("name", "mechanism"), NETWORKS)
every_method = pytest.mark.parametrize(("adaptation", "name", "mechanism"), CASES)
every_inductive = pytest.mark.parametrize(
    ("adaptation", "name", "mechanism"), [case for case in CASES if "transductive" not in case[1]]
)
inductive_network = pytest.mark.parametrize(
    ("name", "mechanism"), [case for case in NETWORKS if "transductive" not in case[0]]
)
every_learned = pytest.mark.parametrize(("adaptation", "name", "mechanism"), LEARNED_CASES)

# torch.export.save takes every channels-last weight for a part of a larger tensor
quiet_export = pytest.mark.filterwarnings("ignore:No complete tensor found:UserWarning")


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    """Equal up to rounding, on the scale of the largest value."""
    scale = max(1.0, float(b.detach().abs().max()))
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance * scale)


# --- mechanisms


@every_mechanism
@pytest.mark.parametrize("space", [(), (5,), (4, 3), (2, 3, 2)])
def test_a_mechanism_keeps_the_shape(mechanism: Mechanism, space: tuple[int, ...]) -> None:
    h = torch.randn(2, 3, 4, *space)
    site = mechanism(4)
    params = {n: v + torch.randn(2, *v.shape) for n, v in site.identity().items()}
    out = site(h, params)
    assert out.shape == h.shape
    assert out.dtype == h.dtype
    assert not torch.equal(out, h)


@pytest.mark.parametrize("mechanism", NEUTRAL)
def test_identity_is_neutral(mechanism: Mechanism) -> None:
    site, h = mechanism(4), torch.randn(2, 3, 4, 5, 5)
    params = {n: v.expand(2, -1) for n, v in site.identity().items()}
    assert torch.equal(site(h, params), h)


@every_mechanism
def test_a_mechanism_in_float64_and_bf16(mechanism: Mechanism) -> None:
    site, h = mechanism(4), torch.randn(2, 3, 4, 5, 5)
    params = {n: v + torch.randn(2, 4) for n, v in site.identity().items()}
    exact = site(h.double(), {n: v.double() for n, v in params.items()})
    assert exact.dtype == torch.float64
    close(site(h, params), exact.float(), 1e-6)
    half = site(h.bfloat16(), params)
    assert half.dtype == torch.bfloat16
    close(half.float(), exact.float(), 2e-2)


# --- extractors with every mechanism


@every_network
def test_shape(name: str, mechanism: Mechanism) -> None:
    net = making.extractor(name, mechanism)
    out = net(making.pictures(2, 3), making.task_params(net, 2))
    assert out.shape == (2, 3, net.feature_dim(1, making.SIZE))


@pytest.mark.parametrize(("name", "mechanism"), list(product(EXTRACTORS, NEUTRAL)))
def test_no_params_are_identity_params(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism), making.pictures(2, 3)
    close(net(images, making.identity_params(net, 2)), net(images))


@every_network
def test_every_site_and_parameter_matters(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism), making.pictures(2, 3, size=32)
    params = making.identity_params(net, 2)
    neutral = net(images, params)
    for site, values in params.items():
        for key, value in values.items():
            # channels move apart: norms above would take back what moves them alike
            apart = torch.linspace(0.2, 1.0, value.shape[1])
            moved = {**params, site: {**values, key: value + apart}}
            assert not torch.allclose(net(images, moved), neutral, atol=1e-4), (site, key)


@every_network
def test_a_task_alone_is_the_task_in_a_batch(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism), making.pictures(3, 4)
    params = making.task_params(net, 3)
    together = net(images, params)
    for t in range(3):
        alone = net(images[t : t + 1], making.of_tasks(params, slice(t, t + 1)))
        close(alone[0], together[t])


@inductive_network
def test_an_example_alone_and_in_any_order(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism), making.pictures(2, 5)
    params = making.task_params(net, 2)
    together = net(images, params)
    close(net(images[:, 2:3], params), together[:, 2:3])
    order = torch.tensor([3, 1, 4, 0, 2])
    close(net(images[:, order], params), together[:, order])


@every_network
def test_an_extractor_in_float64_and_autocast(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism), making.pictures(2, 3)
    params = making.task_params(net, 2)
    double = {s: {n: v.double() for n, v in p.items()} for s, p in params.items()}
    exact = copy.deepcopy(net).double()(images.double(), double)
    assert exact.dtype == torch.float64
    close(net(images, params), exact.float(), 1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = net(images, params)
    assert half.isfinite().all()
    close(half.float(), exact.float(), 0.1)


@every_network
def test_memory_format_of_the_images_does_not_matter(name: str, mechanism: Mechanism) -> None:
    net, images = making.extractor(name, mechanism, channels=3), making.pictures(2, 3, channels=3)
    last = images.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert last.stride() != images.stride()
    params = making.task_params(net, 2, channels=3)
    close(net(last, params), net(images, params))


@every_network
def test_an_extractor_can_be_exported(
    name: str, mechanism: Mechanism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)
    net, images = making.extractor(name, mechanism), making.pictures(2, 3)
    params = making.task_params(net, 2)
    close(torch.export.export(net, (images,)).module()(images), net(images))
    conditioned = torch.export.export(net, (images, params)).module()
    close(conditioned(images, params), net(images, params))


# --- whole classifiers, with every adapter


@every_method
def test_logits(adaptation: str, name: str, mechanism: Mechanism) -> None:
    logits = making.classifier(adaptation, name, mechanism)(making.episode(way=3, query=2))
    assert logits.shape == (3, 6, 3)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@every_inductive
def test_a_query_alone_is_the_query_among_others(
    adaptation: str, name: str, mechanism: Mechanism
) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    together = model(episode)
    for i in range(2):
        alone = replace(episode, query=making.chosen(episode.query, slice(None), slice(i, i + 1)))
        close(model(alone), together[:, i : i + 1], 1e-4)


@every_method
def test_a_task_alone_gives_the_same_logits(
    adaptation: str, name: str, mechanism: Mechanism
) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    together = model(episode)
    for t in range(3):
        close(model(making.task(episode, t)), together[t : t + 1], 1e-4)


@every_method
def test_order_of_queries_and_support(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    order, every = torch.tensor([4, 2, 0, 5, 3, 1]), slice(None)
    expected = model(episode)
    queries = replace(episode, query=making.chosen(episode.query, every, order))
    close(model(queries), expected[:, order], 1e-4)
    support = replace(episode, support=making.chosen(episode.support, every, order))
    close(model(support), expected, 1e-4)


@every_learned
def test_order_of_the_support_in_training(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism).train(), making.episode()
    without_drops(model)
    other, order = copy.deepcopy(model), torch.tensor([4, 2, 0, 5, 3, 1])
    support = making.chosen(episode.support, slice(None), order)
    close(other(replace(episode, support=support)), model(episode), 1e-3)


@every_method
def test_names_of_the_classes_do_not_matter(
    adaptation: str, name: str, mechanism: Mechanism
) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    rename = torch.tensor([2, 0, 1])
    support = replace(episode.support, labels=rename[episode.support.labels])
    renamed = model(replace(episode, support=support))
    close(renamed[..., rename], model(episode), 1e-4)


@every_method
def test_a_classifier_in_autocast(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(episode)
    assert half.dtype == torch.float32
    assert half.isfinite().all()
    close(half, model(episode), 0.5)  # lived-in weights of both signs amplify the rounding


@every_method
def test_a_classifier_in_float64(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    single = model(episode)
    close(model.double()(in_float64(episode)).float(), single, 1e-4)


@every_method
def test_state_dict_and_pickle(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    expected = model(episode)
    other = making.classifier(adaptation, name, mechanism, seed=1)
    assert not torch.allclose(other(episode), expected)
    other.load_state_dict(saved_and_loaded(model.state_dict()))
    assert torch.equal(other(episode), expected)
    assert torch.equal(pickle.loads(pickle.dumps(model))(episode), expected)


@every_method
def test_an_evaluation_remembers_nothing(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model = making.classifier(adaptation, name, mechanism)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(making.episode())
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@quiet_export
@pytest.mark.parametrize(("adaptation", "name"), list(product(ADAPTERS, EXTRACTORS)))
def test_an_adapted_extractor_can_be_exported(
    adaptation: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)
    features, support = making.classifier(adaptation, name).features, making.labeled(1, 3, 2)
    adapted = features.adapt(support.images[0], support.labels[0])
    images = making.pictures(4, seed=5)
    expected = features(support, 3, images.unsqueeze(0)).squeeze(0)
    close(adapted(images), expected)
    close(exported(adapted, (images,))(images), expected)


@every_learned
def test_a_gradient_reaches_the_generator(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism).train(), making.episode()
    generator = generator_of(model)
    multipliers = generator.multipliers()
    for multiplier in multipliers:
        nn.init.zeros_(multiplier)
    names = {n for n, p in generator.named_parameters() if any(p is m for m in multipliers)}
    moved = reached(model, generator, episode)
    assert moved == names, "zero multipliers hide the network behind them"
    with torch.no_grad():
        for multiplier in multipliers:
            assert multiplier.grad is not None
            multiplier.sub_(multiplier.grad.sign(), alpha=0.1)
    assert reached(model, generator, episode) == {n for n, _ in generator.named_parameters()}


@pytest.mark.gpu
@every_method
def test_the_device_does_not_matter(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism), making.episode()
    expected = model(episode)
    with torch.backends.cudnn.flags(allow_tf32=False):
        close(model.cuda()(episode.to("cuda")).cpu(), expected, 1e-3)


@pytest.mark.gpu
@every_learned
def test_a_training_step_on_the_device(adaptation: str, name: str, mechanism: Mechanism) -> None:
    model, episode = making.classifier(adaptation, name, mechanism).train(), making.episode()
    model = model.cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        logits = model(episode.to("cuda"))
    logits.square().mean().backward()
    gradients = [p.grad for p in model.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)


# --- what the laws are told with


def exported(module: nn.Module, arguments: tuple[object, ...]) -> nn.Module:
    """The module written by torch.export and read back."""
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(module, arguments), buffer)
    buffer.seek(0)
    return torch.export.load(buffer).module()


def saved_and_loaded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Tensor] = torch.load(buffer)
    return loaded


def in_float64(episode: Episode) -> Episode:
    support = replace(episode.support, images=episode.support.images.double())
    query = replace(episode.query, images=episode.query.images.double())
    return replace(episode, support=support, query=query)


def without_drops(model: nn.Module) -> None:
    """DropBlock draws for a position in the batch, whatever image stands there."""
    for m in model.modules():
        if isinstance(m, DropBlock):
            m.eval()


def generator_of(model: FewShotClassifier) -> Generator:
    adapter = model.features.adapter
    assert isinstance(adapter, LearnedAdapter)
    return adapter.generator


def reached(model: FewShotClassifier, generator: Generator, episode: Episode) -> set[str]:
    """The generator's parameters with a gradient that is not zero."""
    model.zero_grad()
    logits = model(episode)
    nn.functional.cross_entropy(logits.flatten(0, 1), episode.query.labels.flatten()).backward()
    named = generator.named_parameters()
    return {n for n, p in named if p.grad is not None and bool(p.grad.any())}
