from dataclasses import replace

import making
import pytest
import torch
from torch import Tensor

from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.model.objective import AttributeLoss, AuxiliaryAddition, AuxiliaryInstead, AuxiliaryLoss, QueryLoss
from fewshot_film.parts.adaptation import LearnedAdapter
from fewshot_film.parts.encoder import DiscriminativeEncoder
from fewshot_film.tasks.episode import Episode, LabeledSet


@pytest.fixture
def model() -> FewShotClassifier:
    return making.classifier()


def encoder_of(model: FewShotClassifier) -> DiscriminativeEncoder:
    adapter = model.features.adapter
    assert isinstance(adapter, LearnedAdapter)
    assert isinstance(adapter.encoder, DiscriminativeEncoder)
    return adapter.encoder


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


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_attribute_loss_by_hand(model: FewShotClassifier, weight: float) -> None:
    episode, encoder = with_factors(making.episode()), encoder_of(model)
    objective = AttributeLoss(encoder.embedding_dim, factors=2, weight=weight)
    naming = 0.0
    for part in (episode.support, episode.query):
        assert part.factors is not None
        for f in range(2):
            relabelled = replace(part, labels=part.factors[..., f])
            z = encoder(relabelled, 3, lambda images: images)
            naming += cross_entropy(objective.name_factor(z), [f] * 3) / 4
    expected = QueryLoss()(model, episode).loss.item() + weight * naming
    assert objective(model, episode).loss.item() == pytest.approx(expected, rel=1e-4)


def test_its_weights_are_the_namer_s_alone(model: FewShotClassifier) -> None:
    objective = AttributeLoss(encoder_of(model).embedding_dim, factors=2)
    assert all(key.startswith("name_factor.") for key in objective.state_dict())
    assert len(list(objective.parameters())) == 4
    assert not {id(p) for p in objective.parameters()} & {id(p) for p in model.parameters()}


def test_a_gradient_reaches_the_encoder_and_the_namer(model: FewShotClassifier) -> None:
    """Even at zero multipliers, where the query loss cannot reach the encoder."""
    encoder, episode = encoder_of(model), with_factors(making.episode())
    adapter = model.features.adapter
    assert isinstance(adapter, LearnedAdapter)
    for multiplier in adapter.generator.multipliers():
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
