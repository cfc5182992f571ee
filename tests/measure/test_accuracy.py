from itertools import product

import making
import numpy as np
import pytest
import torch

from fewshot_film.base.seeding import TEST, VALIDATION, generator
from fewshot_film.errors import FewShotError
from fewshot_film.measure.accuracy import Evaluation, evaluate
from fewshot_film.measure.paired import ci95, paired
from fewshot_film.parts.adaptation import ADAPTERS
from fewshot_film.runs.report import present_groups
from fewshot_film.tasks import Mixture
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.numbered import numbered
from fewshot_film.tasks.plain import EpisodeSampler

DATA = making.image_set([8] * 6, size=making.SIZE)
SAMPLER = EpisodeSampler(DATA, 3, 1, 4)


def test_accuracies_episode_by_episode() -> None:
    model = making.classifier(extractor="resnet12")
    result = evaluate(model, SAMPLER, 7, seed=3)
    for i in range(7):
        episode = SAMPLER.sample(1, generator(3, TEST, i))
        correct = (model(episode).argmax(2) == episode.query.labels).sum()
        assert result.accuracies[i] == pytest.approx(int(correct) / 12)
    assert result.accuracy == pytest.approx(result.accuracies.mean())
    assert result.groups == ("all",)


@pytest.mark.parametrize("adapter", ADAPTERS.names)
def test_the_batch_size_does_not_matter(adapter: str) -> None:
    model = making.classifier(adapter=adapter, extractor="resnet12")
    sampler = EpisodeSampler(DATA, way=3, shot=2, query=4)  # some adapters leave one out
    expected = evaluate(model, sampler, 10, batch=1).accuracies
    assert 0 < expected.mean() < 1
    for batch in (3, 10, 64):
        assert np.array_equal(evaluate(model, sampler, 10, batch=batch).accuracies, expected)


def test_more_episodes_begin_with_the_same() -> None:
    model = making.classifier(extractor="resnet12")
    few, many = evaluate(model, SAMPLER, 4), evaluate(model, SAMPLER, 9)
    assert np.array_equal(few.accuracies, many.accuracies[:4])
    other = evaluate(model, SAMPLER, 9, stream=VALIDATION)
    assert not np.array_equal(other.accuracies, many.accuracies)
    assert not np.array_equal(evaluate(model, SAMPLER, 9, seed=1).accuracies, many.accuracies)


def test_it_leaves_the_classifier_as_it_was() -> None:
    model = making.classifier(extractor="resnet12").train()
    model.head.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    training = evaluate(model, SAMPLER, 3)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training
    assert not model.head.training
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(evaluate(model.eval(), SAMPLER, 3).accuracies, training.accuracies)


def test_groups_stay_apart() -> None:
    class Named:
        way, shot, query, groups = 3, 1, 4, ("odd",)

        def sample(self, tasks: int, rng: torch.Generator) -> Episode:
            return SAMPLER.sample(tasks, rng)

    result = evaluate(making.classifier(extractor="resnet12"), Mixture([SAMPLER, Named()]), 12)
    assert result.groups == ("all", "odd")
    sizes = [len(result.of_group(name)) for name in result.groups]
    assert sum(sizes) == 12
    assert min(sizes) > 0
    first = [result.accuracies[i] for i in range(12) if result.group[i] == 0]
    assert result.of_group("all").tolist() == first


def test_groups_of_one_name_are_one() -> None:
    """As "which class" of two samplers in a mixture."""
    result = Evaluation(np.arange(4) / 4, np.array([0, 1, 2, 2]), ("a", "b", "a"))
    assert result.of_group("a").tolist() == [0, 0.5, 0.75]
    assert present_groups(result) == ["a", "b"]


def test_broken_weights_are_an_error() -> None:
    model = making.classifier(extractor="resnet12")
    torch.nn.init.constant_(model.get_parameter("head.log_scale"), float("nan"))
    with pytest.raises(FewShotError, match="not finite"):
        evaluate(model, SAMPLER, 2)


def test_ci95_by_hand() -> None:
    """s of 0.2, 0.4, 0.9 is 0.36055; 1.96 s / sqrt(3) = 0.408."""
    values = np.array([0.2, 0.4, 0.9])
    assert ci95(values) == pytest.approx(1.96 * 0.3605551275 / 3**0.5)
    assert ci95(values[:1]) == 0
    evaluation = Evaluation(values, np.zeros(3, dtype=np.int64), ("all",))
    assert evaluation.ci95 == ci95(values)
    assert evaluation.accuracy == pytest.approx(0.5)


def test_paired_mean_and_interval_by_hand() -> None:
    a, b = np.array([0.5, 0.6, 0.7]), np.array([0.6, 0.6, 0.9])
    difference = paired(a, b)
    assert difference.mean == pytest.approx(0.1)
    assert difference.ci95 == pytest.approx(1.96 * 0.1 / 3**0.5)
    assert paired(b, a).mean == pytest.approx(-0.1)


@pytest.mark.parametrize("seed", range(4))
def test_paired_against_every_flip(seed: int) -> None:
    """All 2^9 signs of nine differences; the drawn ones come within four standard errors."""
    rng = np.random.default_rng(seed)
    a = rng.random(9)
    b = a + 0.2 * rng.standard_normal(9) + 0.1
    d = b - a
    means = [abs((np.array(signs) * d).mean()) for signs in product((-1, 1), repeat=9)]
    exact = np.mean(np.array(means) >= abs(d.mean()) - 1e-12)
    drawn = paired(a, b, flips=20_000, seed=seed).p
    assert abs(drawn - exact) < 4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4


def test_paired_of_the_same_and_of_the_different() -> None:
    a = np.linspace(0, 1, 50)
    assert paired(a, a, flips=500).p == 1
    assert paired(a, a + 0.1, flips=1500).p == pytest.approx(1 / 1501)
    assert paired(a, a - 0.1, flips=1500).p == pytest.approx(1 / 1501)


def test_paired_is_a_function_of_its_seed() -> None:
    a, b = np.random.default_rng(0).random((2, 20))
    assert paired(a, b) == paired(a, b)
    assert paired(a, b).p == paired(b, a).p


def test_paired_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    p = [paired(*rng.random((2, 30)), flips=99, seed=i).p for i in range(300)]
    assert abs(np.mean(np.array(p) <= 0.2) - 0.2) < 0.08
    assert abs(np.mean(p) - 0.5) < 0.07


@pytest.mark.gpu
def test_the_device_does_not_matter() -> None:
    """Episodes are the same where images lie on it and where they are sent; answers nearly so."""
    on_device = EpisodeSampler(DATA.to("cuda"), 3, 1, 4)
    for a, b in zip(numbered(SAMPLER, 9, seed=4), numbered(on_device, 9, seed=4), strict=True):
        assert b.query.images.is_cuda
        for one, other in ((a.support, b.support), (a.query, b.query)):
            assert torch.equal(one.images, other.images.cpu())
            assert torch.equal(one.labels, other.labels.cpu())
    model = making.classifier(extractor="resnet12")
    expected = evaluate(model, SAMPLER, 20).accuracies
    found = evaluate(model.cuda(), SAMPLER, 20).accuracies
    assert np.array_equal(evaluate(model, on_device, 20).accuracies, found)
    assert np.abs(found - expected).max() < 0.2
