import math

import making
import numpy as np
import pytest
import torch
from scipy.optimize import minimize  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.parts.head import LogisticHead
from fewshot_film.parts.head.logistic import newton, optimum


def task(examples: int, dim: int, way: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    rng = making.seeded(examples + dim)
    labels = torch.arange(examples).unsqueeze(0) % way
    noise = torch.randn(1, examples, dim, generator=rng, dtype=torch.float64)
    return 2 + spread * noise + labels.unsqueeze(2), labels


def slope(weight: Tensor, support: Tensor, labels: Tensor, ridge: float) -> tuple[float, Tensor]:
    """The loss, and its derivative by the weight."""
    free = weight.detach().requires_grad_()
    centred = support - support.mean(0)
    loss = F.cross_entropy(centred @ free.T, labels, reduction="sum")
    loss = loss + ridge / 2 * free.square().sum()
    (found,) = torch.autograd.grad(loss, free)
    return float(loss.detach()), found


def by_scipy(support: Tensor, labels: Tensor, way: int, ridge: float) -> Tensor:
    shape = (way, support.shape[1])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, found = slope(torch.from_numpy(flat).view(shape), support, labels, ridge)
        return value, found.numpy().ravel()

    options = {"maxiter": 10000, "ftol": 0, "gtol": 1e-9}
    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options)
    return torch.from_numpy(found.x).view(shape)


@pytest.mark.parametrize("ridge", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize(("examples", "dim", "way"), [(5, 20, 5), (25, 40, 5), (12, 2, 3)])
def test_the_optimum_is_scipys(examples: int, dim: int, way: int, ridge: float) -> None:
    support, labels = task(examples, dim, way)
    head = LogisticHead(ridge=ridge, normalized=False).double()
    found = head.fit(support, labels, way)["weight"][0]
    expected = by_scipy(support[0], labels[0], way, ridge)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("ridge", [1e-3, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("normalized", [True, False])
def test_nothing_pulls_at_the_optimum(normalized: bool, spread: float, ridge: float) -> None:
    """The derivative of the loss is zero, of classes that overlap and of such that do not."""
    for examples, dim, way in ((25, 64, 5), (12, 3, 4), (4, 50, 4)):
        support, labels = task(examples, dim, way, spread)
        head = LogisticHead(ridge=ridge, normalized=normalized).double()
        weight = head.fit(support, labels, way)["weight"][0]
        seen = F.normalize(support[0], dim=1) if normalized else support[0]
        assert float(slope(weight, seen, labels[0], ridge)[1].abs().max()) < 1e-8


def test_by_hand() -> None:
    """At -1 and 1 the weights are -w and w with ridge w = 2 (1 - sigmoid(2 w)): w = log(3) / 2."""
    head = LogisticHead(ridge=1 / math.log(3), normalized=False)
    fitted = head.fit(torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]]), 2)
    w = math.log(3) / 2
    torch.testing.assert_close(fitted["weight"], torch.tensor([[[-w], [w]]]))
    assert not fitted["bias"].any()
    logits = head(torch.tensor([[[1.0]]]), fitted)
    torch.testing.assert_close(logits.softmax(2), torch.tensor([[[0.25, 0.75]]]))


def test_the_features_are_seen_from_their_mean() -> None:
    support, labels = task(12, 4, 3)
    head = LogisticHead(normalized=False).double()
    here, there = (head.fit(support + offset, labels, 3) for offset in (0.0, 100.0))
    torch.testing.assert_close(head(support, here), head(support + 100, there))


def test_a_newton_step_against_the_whole_hessian() -> None:
    """(I + H K) step = missing, with H of every pair of classes."""
    support, _ = task(6, 4, 3)
    kernel = support @ support.transpose(1, 2) / 10
    rng = making.seeded()
    p = torch.rand(1, 6, 3, generator=rng, dtype=torch.float64).softmax(2)
    missing = torch.randn(1, 6, 3, generator=rng, dtype=torch.float64)
    hessian = torch.block_diag(*(torch.diag(row) - row.outer(row) for row in p[0]))
    whole = torch.eye(18, dtype=torch.float64) + hessian @ kernel[0].kron(torch.eye(3))
    expected = torch.linalg.solve(whole, missing.flatten())
    torch.testing.assert_close(newton(kernel, p, missing).flatten(), expected)


def test_the_gradient_is_that_of_every_step() -> None:
    """As if all steps, and what they solve, had been recorded."""
    support, labels = task(10, 3, 2)
    targets = F.one_hot(labels, 2).double()
    weights = torch.randn(1, 10, 2, generator=making.seeded(), dtype=torch.float64)
    found = []
    for solved in (optimum, every_step):
        given = support.clone().requires_grad_()
        loss = (weights * solved(given @ given.transpose(1, 2), targets)).sum()
        found.append(torch.autograd.grad(loss, given)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-8)


def every_step(kernel: Tensor, targets: Tensor) -> Tensor:
    """The optimum by gradient descent, long enough and all of it recorded."""
    dual = torch.zeros_like(targets)
    rate = 1 / (1 + float(torch.linalg.matrix_norm(kernel.detach(), 2)))
    for _ in range(6000):
        dual = dual + rate * (targets - (kernel @ dual).softmax(2) - dual)
    return dual


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_float32_loses_little(scale: float) -> None:
    """Of features as long as a network's, too, beside which the ridge is nothing."""
    support, labels = task(25, 60, 5)
    fits = []
    for dtype in (torch.float32, torch.float64):
        head = LogisticHead(ridge=0.01, normalized=False).to(dtype)
        fits.append(head.fit((scale * support).to(dtype), labels, 5)["weight"].double())
    largest = float(fits[1].abs().max())
    torch.testing.assert_close(fits[0], fits[1], rtol=0, atol=1e-3 * largest)


def test_each_task_takes_steps_of_its_own() -> None:
    """A task that is hard to fit does not shorten the steps of another."""
    easy, labels = task(12, 3, 4, 0.1)
    hard, _ = task(12, 3, 4, 9.0)
    head = LogisticHead(ridge=0.01, normalized=False).double()
    together = head.fit(torch.cat([easy, hard]), labels.expand(2, -1), 4)["weight"]
    alone = [head.fit(values, labels, 4)["weight"] for values in (easy, hard)]
    torch.testing.assert_close(together, torch.cat(alone))
