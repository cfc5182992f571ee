import io

import making
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.measure.audit import audit
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import AdaptiveBatchNorm
from fewshot_film.parts.head import cosine
from fewshot_film.parts.statistics.alignment import correlation_alignment
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.plain import EpisodeSampler

CLASSES = 7
IDS = torch.tensor([[5, 0, 3], [1, 6, 2], [4, 3, 0]])
"""The classes behind the labels of three tasks."""
ADAPTERS = ("none", "adaptive-batch-norm", "learned")


def supervised(adapter: str = "none", seed: int = 0) -> SupervisedClassifier:
    """A whole classifier of seven classes in evaluation mode, lived-in."""
    features = making.classifier(adapter=adapter, seed=seed).features
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        linear = nn.Linear(features.extractor.feature_dim(1, making.SIZE), CLASSES)
    return SupervisedClassifier(features, linear).eval()


def tasks_of(ids: Tensor = IDS) -> Episode:
    made = making.episode(tasks=len(ids), query=3)
    return Episode(made.support, made.query, made.way, ids, made.group)


def close(a: Tensor, b: Tensor) -> None:
    scale = max(1.0, float(b.detach().abs().max()))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * scale)


# --- laws


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_task_alone_is_the_task_in_a_batch(adapter: str) -> None:
    model, episode = supervised(adapter), tasks_of()
    logits = model(episode)
    for t in range(3):
        close(model(making.task(episode, t)), logits[t : t + 1])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_no_answer_depends_on_the_other_queries(adapter: str) -> None:
    data = making.image_set([8] * CLASSES, size=making.SIZE)
    found = audit(supervised(adapter), EpisodeSampler(data, way=3, shot=2, query=3), 3)
    assert not found.transductive
    assert found.changed == 0


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_logits_follow_the_order_of_the_task_s_classes(adapter: str) -> None:
    """Which class has which label does not matter where the adapter does not ask."""
    model = supervised(adapter)
    close(model(tasks_of(IDS[:, [2, 0, 1]])), model(tasks_of())[..., [2, 0, 1]])


def test_without_an_adapter_the_support_set_does_not_matter() -> None:
    model, episode = supervised(), tasks_of()
    other = making.labeled(3, 3, 1, seed=9)
    changed = Episode(other, episode.query, 3, episode.class_ids, episode.group)
    assert torch.equal(model(changed), model(episode))
    adapted = model.with_adapter(AdaptiveBatchNorm()).eval()
    assert not torch.allclose(adapted(changed), adapted(episode))


def test_the_state_dict_holds_all() -> None:
    model, other, buffer = supervised(seed=0), supervised(seed=1), io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    assert not torch.allclose(other(tasks_of()), model(tasks_of()))
    other.load_state_dict(torch.load(buffer))
    assert torch.equal(other(tasks_of()), model(tasks_of()))
    assert {"linear.weight", "linear.bias"} <= model.state_dict().keys()


# --- by hand


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_logits_by_hand(adapter: str) -> None:
    """w_k f(query) + b_k, where k is the class behind the label and f the task's own features."""
    model, episode = supervised(adapter), tasks_of()
    features = model.features(episode.support, 3, episode.query.images)
    logits, weight, bias = model(episode), model.linear.weight, model.linear.bias
    assert logits.shape == (3, 9, 3)
    for task in range(3):
        for label, k in enumerate(IDS[task].tolist()):
            close(logits[task, :, label], features[task] @ weight[k] + bias[k])


def test_all_classes_in_their_order_are_the_linear_layer() -> None:
    model = supervised()
    every = Episode(
        making.labeled(2, CLASSES, 1),
        making.labeled(2, CLASSES, 1, seed=3),
        CLASSES,
        torch.arange(CLASSES).expand(2, -1),
        torch.zeros(2, dtype=torch.int64),
    )
    expected = model.linear(model.features.extractor(every.query.images))
    close(model(every), expected)


def test_another_adapter_shares_the_network_and_the_linear_layer() -> None:
    model = supervised()
    other = model.with_adapter(AdaptiveBatchNorm())
    assert isinstance(other, SupervisedClassifier)
    assert other.linear is model.linear
    assert other.features.extractor is model.features.extractor
    adapted = other.eval()(tasks_of())
    assert not torch.allclose(adapted, model(tasks_of()))
    query_too = model.with_adapter(AdaptiveBatchNorm("support+query")).eval()
    assert not torch.allclose(query_too(tasks_of()), adapted)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_new_classes_are_told_by_the_cosine_to_their_prototypes(adapter: str) -> None:
    model = supervised(adapter)
    images, labels = making.pictures(6), ["b", "b", "a", "a", "c", "c"]
    task = model.adapt(images, labels)
    queries = making.pictures(4, seed=5)
    shots, found = task.extractor(images), task.extractor(queries)
    prototypes = torch.stack([shots[2:4].mean(0), shots[:2].mean(0), shots[4:].mean(0)])
    expected = 10 * cosine(found.unsqueeze(0), prototypes.unsqueeze(0))[0]
    close(task(queries), expected)
    assert task.classes == ("a", "b", "c")
    assert set(task.classify(queries)) <= set("abc")


# --- aligned features


def test_alignment_maps_the_features_before_the_linear_layer() -> None:
    model, episode, layer = supervised(), tasks_of(), nn.Linear(4, 4)
    features = layer(model.features.extractor(episode.query.images))
    expected = model.linear(features).gather(2, IDS.unsqueeze(1).expand(-1, 9, -1))
    close(model.aligned(layer)(episode), expected)


def test_alignment_keeps_the_global_generator() -> None:
    model, features = supervised(), torch.randn(40, 64, generator=making.seeded())
    width = model.linear.in_features
    layer = correlation_alignment(features[:, :width] * 2, features[:, :width] + 1, ridge=1.0)
    before = torch.get_rng_state()
    model.aligned(layer)
    assert torch.equal(torch.get_rng_state(), before)


def test_alignment_of_a_domain_with_itself_changes_nothing() -> None:
    """Behind adaptive batch norm, in the order that the method states."""
    model, images = supervised(), making.pictures(1, 90, seed=3)
    net = model.features.extractor
    adapted = model.with_adapter(AdaptiveBatchNorm(one_pass(net, [images])))
    params = adapted.features.params(making.labeled(1, 3, 2), 3)
    z = net(images, params)[0].detach()
    aligned = adapted.aligned(correlation_alignment(z, z, ridge=0.1))
    assert isinstance(aligned.features.adapter, AdaptiveBatchNorm)
    close(aligned(tasks_of()), adapted(tasks_of()))
    brighter = adapted.aligned(correlation_alignment(z, 2 * z + 1, ridge=0.1))
    assert not torch.allclose(brighter(tasks_of()), adapted(tasks_of()), atol=1e-2)
