import making
import numpy as np
import pytest
import torch
from torch import Tensor

from fewshot_film.parts.head import RidgeHead
from fewshot_film.parts.head.ridge import RIDGES, USUAL_RIDGE, chosen_ridge, left_out_residuals

WAY = 3
LABELS = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 0], [2, 2, 1, 1, 0, 0, 2, 1]])


def features(dim: int, seed: int = 0, tasks: int = 2) -> Tensor:
    """Some more of every class's number in every feature, and a mean far from zero."""
    rng = making.seeded(seed)
    noise = torch.randn(tasks, 8, dim, generator=rng, dtype=torch.float64)
    return 3 + noise + LABELS[:tasks].unsqueeze(2)


def by_least_squares(support: Tensor, labels: Tensor, ridge: float) -> Tensor:
    """(weight and intercept, way) that minimise the squares and the ridge on all but the last."""
    rows = np.c_[support.numpy(), np.ones(len(support))]
    penalty = ridge * np.diag([*[1.0] * support.shape[1], 0.0])
    wanted = np.eye(WAY)[labels.numpy()]
    return torch.from_numpy(np.linalg.solve(rows.T @ rows + penalty, rows.T @ wanted))


def predicted(found: Tensor, queries: Tensor) -> Tensor:
    return queries @ found[:-1] + found[-1]


def normal(values: Tensor, normalized: bool) -> Tensor:
    return values / values.norm(dim=-1, keepdim=True) if normalized else values


@pytest.mark.parametrize("dim", [2, 5, 30])
@pytest.mark.parametrize("ridge", [0.01, 0.5, 20.0])
@pytest.mark.parametrize("normalized", [True, False])
def test_against_least_squares(normalized: bool, ridge: float, dim: int) -> None:
    head = RidgeHead(ridge=ridge, normalized=normalized, scale=2.0).double()
    support, queries = features(dim), features(dim, seed=1)
    logits = head(queries, head.fit(support, LABELS, WAY))
    for task in range(2):
        found = by_least_squares(normal(support[task], normalized), LABELS[task], ridge)
        expected = 2 * predicted(found, normal(queries[task], normalized))
        torch.testing.assert_close(logits[task], expected)


def test_by_hand() -> None:
    """At -1 and 1, w = 1 / (2 + ridge) = 1/4: halfway to 1, class 1 has 1/2 + 1/8."""
    head = RidgeHead(ridge=2.0, normalized=False, scale=1.0)
    fitted = head.fit(torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]]), 2)
    expected = {"weight": [[[-0.25], [0.25]]], "bias": [[0.5, 0.5]]}
    for name, value in fitted.items():
        torch.testing.assert_close(value, torch.tensor(expected[name]))
    torch.testing.assert_close(head(torch.tensor([[[0.5]]]), fitted)[0, 0, 1].item(), 0.625)


@pytest.mark.parametrize("ridge", RIDGES)
def test_residuals_of_examples_left_out_against_fitting_anew(ridge: float) -> None:
    support = features(5)
    apart = support - support.mean(1, keepdim=True)
    targets = torch.eye(WAY, dtype=torch.float64)[LABELS]
    kernel = apart @ apart.transpose(1, 2)
    found = left_out_residuals(kernel, targets, torch.tensor([7.0, ridge], dtype=torch.float64))
    for task in range(2):
        for i in range(8):
            others = [j for j in range(8) if j != i]
            without = by_least_squares(support[task, others], LABELS[task, others], ridge)
            expected = targets[task, i] - predicted(without, support[task, i])
            torch.testing.assert_close(found[task, 1, i], expected)


def test_the_ridge_is_the_one_that_foretells_best() -> None:
    """Every task has its own, and it is neither always the first nor always the last."""
    labels = LABELS.repeat(12, 1)
    rng = making.seeded(3)
    noise = torch.randn(24, 8, 6, generator=rng, dtype=torch.float64)
    support = torch.logspace(-2, 0.5, 24).view(-1, 1, 1) * noise + labels.unsqueeze(2)
    apart = support - support.mean(1, keepdim=True)
    targets = torch.eye(WAY, dtype=torch.float64)[labels]
    found = chosen_ridge(apart @ apart.transpose(1, 2), targets, labels).flatten()
    for task, ridge in enumerate(found.tolist()):
        errors = {r: press(support[task], labels[task], r) for r in RIDGES}
        assert ridge == pytest.approx(min(errors, key=errors.__getitem__))
    assert 2 < len(found.unique()) <= len(RIDGES)


def press(support: Tensor, labels: Tensor, ridge: float) -> float:
    """The squared errors of what is foretold by all others, of each example that has company."""
    total = 0.0
    for i in (i for i in range(len(labels)) if (labels == labels[i]).sum() > 1):
        others = [j for j in range(len(labels)) if j != i]
        found = by_least_squares(support[others], labels[others], ridge)
        wanted = torch.eye(WAY, dtype=torch.float64)[labels[i]]
        total += float((wanted - predicted(found, support[i])).square().sum())
    return total


def test_the_ridge_that_is_chosen_is_what_the_head_uses() -> None:
    support, queries = features(5), features(5, seed=1)
    chosen = RidgeHead(normalized=False).double()
    logits = chosen(queries, chosen.fit(support, LABELS, WAY))
    for task, one in ((0, slice(0, 1)), (1, slice(1, 2))):
        errors = {r: press(support[task], LABELS[task], r) for r in RIDGES}
        best = min(errors, key=errors.__getitem__)
        told = RidgeHead(ridge=best, normalized=False).double()
        expected = told(queries[one], told.fit(support[one], LABELS[one], WAY))
        torch.testing.assert_close(logits[one], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_an_image_that_is_alone_in_its_class_does_not_choose(seed: int) -> None:
    """Nobody could know its class without it; where all are alone the ridge is the usual one."""
    support = features(6, seed, tasks=1)[:, :5]
    apart = support - support.mean(1, keepdim=True)
    kernel, eye = apart @ apart.transpose(1, 2), torch.eye(5, dtype=torch.float64)
    labels = torch.tensor([[0, 0, 1, 1, 2]])
    errors = {r: press(support[0], labels[0], r) for r in RIDGES}
    found = float(chosen_ridge(kernel, eye[labels][..., :3], labels))
    assert found == pytest.approx(min(errors, key=errors.__getitem__))
    alone = torch.arange(5).unsqueeze(0)
    assert float(chosen_ridge(kernel, eye[alone], alone)) == pytest.approx(USUAL_RIDGE)


@pytest.mark.parametrize("way", [2, 5])
def test_shots_that_differ_give_the_classes_their_shares(way: int) -> None:
    """Where the features say nothing, the logits are the shares."""
    labels = torch.tensor([[*range(way), 0, 0]])
    head = RidgeHead(normalized=False, scale=1.0)
    fitted = head.fit(torch.ones(1, way + 2, 3), labels, way)
    shares = torch.bincount(labels[0]) / (way + 2)
    torch.testing.assert_close(head(torch.rand(1, 1, 3), fitted)[0, 0], shares)
