import copy
from dataclasses import replace
from typing import Any

import making
import pytest
import torch
from torch import Tensor

from fewshot_film.errors import FewShotError
from fewshot_film.model.auxiliary import (
    AUXILIARIES,
    AuxiliaryAddition,
    AuxiliaryInstead,
    AuxiliaryLoss,
)
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.model.naming import AttributeLoss, learned_adapter
from fewshot_film.model.objective import OBJECTIVES, FromClasses, FromEpisodes, QueryLoss
from fewshot_film.parts.encoder import DiscriminativeEncoder, TaskEncoder
from fewshot_film.parts.normalization import NORMALIZATIONS
from fewshot_film.tasks.episode import Episode, LabeledSet


@pytest.fixture
def model() -> FewShotClassifier:
    return making.classifier()


def encoder_of(model: FewShotClassifier) -> TaskEncoder:
    return learned_adapter(model).encoder


def with_factors(episode: Episode) -> Episode:
    """Two labellings: the episode's own and another."""
    support, query = (
        replace(s, factors=torch.stack([s.labels, s.labels.roll(1, 1)], 2))
        for s in (episode.support, episode.query)
    )
    return replace(episode, support=support, query=query)


def cross_entropy(logits: Tensor, targets: list[int]) -> float:
    """The mean of log sum exp - the target's logit, in float64."""
    rows = logits.detach().double().tolist()
    losses = [
        float(torch.tensor(row).double().logsumexp(0)) - row[target]
        for row, target in zip(rows, targets, strict=True)
    ]
    return sum(losses) / len(losses)


def test_query_loss_by_hand(model: FewShotClassifier) -> None:
    episode = making.episode()
    logits, labels = model(episode).detach().flatten(0, 1), episode.query.labels.flatten().tolist()
    outcome = QueryLoss()(model, episode)
    assert outcome.loss.item() == pytest.approx(cross_entropy(logits, labels), rel=1e-4)
    correct = [int(row.argmax()) == label for row, label in zip(logits, labels, strict=True)]
    assert float(outcome.accuracy) == pytest.approx(sum(correct) / len(correct))
    assert outcome.loss.requires_grad
    assert not outcome.accuracy.requires_grad


def test_without_factors_it_is_the_query_loss(model: FewShotClassifier) -> None:
    episode = making.episode()
    outcome = AttributeLoss(encoder_of(model).embedding_dim, factors=2)(model, episode)
    assert torch.equal(outcome.loss, QueryLoss()(model, episode).loss)


CHOICES = [
    {"encoder": "discriminative"},
    {"encoder": "prototype-mean"},
    {"normalization": "support"},
    {"normalization": "task-norm-i", "encoder": "prototype-mean"},
]


@pytest.mark.parametrize("choices", CHOICES, ids=lambda choices: "+".join(choices.values()))
@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_attribute_loss_by_hand(choices: dict[str, Any], weight: float) -> None:
    """With an encoder of its own features or of the extractor's, and norms that keep a support."""
    model = making.classifier(**choices)
    episode, encoder = with_factors(making.episode()), encoder_of(model)
    objective = AttributeLoss(encoder.embedding_dim, factors=2, weight=weight)
    naming = 0.0
    for part in (episode.support, episode.query):
        assert part.factors is not None
        for f in range(2):
            relabelled = replace(part, labels=part.factors[..., f])
            z = encoder(relabelled, 3, model.features.extractor)
            naming += cross_entropy(objective.name_factor(z), [f] * 3) / 4
    query = QueryLoss()(model, episode)
    outcome = objective(model, episode)
    expected = query.loss.item() + weight * naming
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(outcome.accuracy, query.accuracy)


@pytest.mark.parametrize("normalization", NORMALIZATIONS.names)
@pytest.mark.parametrize("training", [True, False])
def test_a_task_s_own_z_is_of_its_support_set_alone(normalization: str, training: bool) -> None:
    """Although the queries are embedded to be named as well, by the extractor's own features."""
    model = making.classifier(encoder="prototype-mean", normalization=normalization)
    other, episode = copy.deepcopy(model.train(training)), with_factors(making.episode())
    objective = AttributeLoss(encoder_of(model).embedding_dim, factors=2, weight=0.0)
    expected = QueryLoss()(other.train(training), episode).loss.item()
    assert objective(model, episode).loss.item() == pytest.approx(expected, rel=1e-5)


def test_naming_takes_one_look_at_each_image(model: FewShotClassifier) -> None:
    """Whatever the number of labellings; it serves the task's own z too."""
    encoder, looks = encoder_of(model), list[int]()
    assert isinstance(encoder, DiscriminativeEncoder)
    encoder.network.register_forward_hook(lambda _, given, __: looks.append(len(given[0])))
    AttributeLoss(encoder.embedding_dim, factors=2)(model, with_factors(making.episode()))
    assert looks == [3 * (6 + 6)]


@pytest.mark.parametrize("adapter", ["none", "adaptive-batch-norm"])
def test_naming_attributes_without_a_task_encoder(adapter: str) -> None:
    model, objective = making.classifier(adapter=adapter), AttributeLoss(6, factors=2)
    with pytest.raises(FewShotError, match=r"trains a task encoder, \w+ has none; give the class"):
        objective(model, with_factors(making.episode()))
    plain = objective(model, making.episode())
    assert torch.equal(plain.loss, QueryLoss()(model, making.episode()).loss)


def test_its_weights_are_the_namer_s_alone(model: FewShotClassifier) -> None:
    objective = AttributeLoss(encoder_of(model).embedding_dim, factors=2)
    assert all(key.startswith("name_factor.") for key in objective.state_dict())
    assert len(list(objective.parameters())) == 4
    assert not {id(p) for p in objective.parameters()} & {id(p) for p in model.parameters()}


def test_a_gradient_reaches_the_encoder_and_the_namer(model: FewShotClassifier) -> None:
    """Even at zero multipliers, where the query loss cannot reach the encoder."""
    encoder, episode = encoder_of(model), with_factors(making.episode())
    for multiplier in learned_adapter(model).generator.multipliers():
        torch.nn.init.zeros_(multiplier)
    objective = AttributeLoss(encoder.embedding_dim, factors=2)
    QueryLoss()(model, episode).loss.backward()
    assert not any(p.grad is not None and p.grad.any() for p in encoder.parameters())
    objective.train()(model.train(), episode).loss.backward()
    for p in (*encoder.parameters(), *objective.parameters()):
        assert p.grad is not None
        assert p.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.any() for p in objective.parameters())
    first = next(encoder.parameters())
    assert first.grad is not None
    assert first.grad.any()


def co_trained(episode: Episode) -> Episode:
    """The same tasks beside a batch of eight images of five classes."""
    batch = LabeledSet(making.pictures(1, 8), torch.arange(8).remainder(5).unsqueeze(0))
    return replace(episode, auxiliary=batch)


def auxiliary_by_hand(
    objective: AuxiliaryLoss, model: FewShotClassifier, episode: Episode
) -> float:
    """The linear layer on unconditioned features."""
    batch = episode.auxiliary
    assert batch is not None
    logits = objective.linear(model.features.extractor(batch.images, None)[0])
    return cross_entropy(logits, batch.labels[0].tolist())


@pytest.mark.parametrize("kind", [AuxiliaryInstead, AuxiliaryAddition])
def test_without_a_batch_a_step_is_one_on_tasks(
    kind: type[AuxiliaryLoss], model: FewShotClassifier
) -> None:
    objective, episode = made(kind, model), making.episode()
    assert torch.equal(objective(model, episode).loss, QueryLoss()(model, episode).loss)


def test_co_training_instead_by_hand(model: FewShotClassifier) -> None:
    objective, episode = made(AuxiliaryInstead, model), co_trained(making.episode())
    outcome = objective(model, episode)
    expected = auxiliary_by_hand(objective, model, episode)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-4)
    assert outcome.accuracy.isnan()


def test_co_training_in_addition_by_hand(model: FewShotClassifier) -> None:
    objective, episode = made(AuxiliaryAddition, model), co_trained(making.episode())
    outcome, tasks = objective(model, episode), QueryLoss()(model, episode)
    expected = tasks.loss.item() + auxiliary_by_hand(objective, model, episode)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(outcome.accuracy, tasks.accuracy)


def test_co_training_reaches_the_extractor_and_not_the_generator(model: FewShotClassifier) -> None:
    objective = made(AuxiliaryInstead, model)
    objective(model, co_trained(making.episode())).loss.backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert any(name.startswith("features.extractor") for name in with_gradient)
    assert not any(name.startswith("features.adapter") for name in with_gradient)
    assert objective.linear.weight.grad is not None


def made(kind: type[AuxiliaryLoss], model: FewShotClassifier) -> AuxiliaryLoss:
    return kind(QueryLoss(), model.features.extractor.feature_dim(1, making.SIZE), 5)


def test_auxiliaries_by_name(model: FewShotClassifier) -> None:
    """Each wraps the objective of the tasks; without co-training that is all."""
    tasks = QueryLoss()
    given = {"tasks": tasks, "feature_dim": 4, "classes": 5}
    assert AUXILIARIES.read("none")(**given) is tasks
    for name, kind in (("instead", AuxiliaryInstead), ("addition", AuxiliaryAddition)):
        for text, images in ((name, 64), (f"{name}:images=8", 8)):
            objective = AUXILIARIES.read(text)(**given)
            assert isinstance(objective, kind)
            assert (objective.tasks, objective.images) == (tasks, images)
            assert (objective.linear.in_features, objective.linear.out_features) == (4, 5)
            assert objective(model, co_trained(making.episode())).loss.isfinite()


def test_objectives_by_name() -> None:
    assert OBJECTIVES.read("episodes")() == FromEpisodes(attribute_weight=None)
    assert OBJECTIVES.read("episodes:attribute_weight=0.5")() == FromEpisodes(attribute_weight=0.5)
    assert OBJECTIVES.read("classify")() == FromClasses(images=128)
    assert OBJECTIVES.read("classify:images=16")() == FromClasses(images=16)
