import making
import numpy as np
import pytest
import torch
from torch import Tensor

from fewshot_film.parts.head import MahalanobisHead

WAY = 3
LABELS = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 0], [2, 2, 1, 1, 0, 2, 2, 1]])
"""Classes of one image, too."""


def features(dim: int, seed: int = 0) -> Tensor:
    return 5 + 2 * torch.randn(2, 8, dim, generator=making.seeded(seed), dtype=torch.float64)


def covariance(rows: np.ndarray) -> np.ndarray:
    """Unbiased; of one row it is zero."""
    apart = rows - rows.mean(0)
    return apart.T @ apart / max(len(rows) - 1, 1)


def brute_force(support: Tensor, labels: Tensor, queries: Tensor, way: int, ridge: float) -> Tensor:
    """As the paper writes it, by the inverse of a matrix of features x features for every class."""
    values, of, logits = support.numpy(), labels.numpy(), []
    for c in range(way):
        rows = values[of == c]
        share = len(rows) / (len(rows) + 1)
        mixed = share * covariance(rows) + (1 - share) * covariance(values)
        inverse = np.linalg.inv(mixed + ridge * np.eye(values.shape[1]))
        apart = queries.numpy() - rows.mean(0)
        logits.append(-np.einsum("qd,de,qe->q", apart, inverse, apart))
    return torch.from_numpy(np.stack(logits, 1))


@pytest.mark.parametrize("dim", [1, 2, 5, 30])
@pytest.mark.parametrize("ridge", [0.05, 1.0, 10.0])
def test_against_the_inverse(ridge: float, dim: int) -> None:
    head = MahalanobisHead(ridge=ridge, scale=2.0).double()
    support, queries = features(dim), features(dim, seed=1)
    logits = head(queries, head.fit(support, LABELS, WAY))
    for task in range(2):
        expected = brute_force(support[task], LABELS[task], queries[task], WAY, ridge)
        torch.testing.assert_close(logits[task], 2 * expected)


@pytest.mark.parametrize("dim", [2, 20])
def test_at_one_shot_the_task_s_covariance_counts_half(dim: int) -> None:
    support, queries, labels = features(dim), features(dim, seed=1), torch.arange(8).expand(2, -1)
    head = MahalanobisHead().double()
    logits = head(queries, head.fit(support, labels, 8))
    for task in range(2):
        half = torch.from_numpy(covariance(support[task].numpy())) / 2
        inverse = (half + torch.eye(dim, dtype=torch.float64)).inverse()
        apart = queries[task].unsqueeze(1) - support[task]
        expected = -torch.einsum("qkd,de,qke->qk", apart, inverse, apart)
        torch.testing.assert_close(logits[task], expected)


def test_by_hand() -> None:
    """-1 and 1 against 4, of variances 2, 0 and together 19/3: Q = 40/9 and 25/6."""
    head = MahalanobisHead()
    fitted = head.fit(torch.tensor([[[-1.0], [1.0], [4.0]]]), torch.tensor([[0, 0, 1]]), 2)
    logits = head(torch.tensor([[[2.0]]]), fitted)
    torch.testing.assert_close(logits, torch.tensor([[[-4 * 9 / 40, -4 * 6 / 25]]]))


@pytest.mark.parametrize("shot", [1, 5])
def test_float32_loses_little_of_a_network_s_features(shot: int) -> None:
    """Positive ones, whose length is 20 and more."""
    rng = making.seeded()
    support, queries = (torch.rand(1, 5 * shot, 400, generator=rng).mul(2) for _ in range(2))
    labels = torch.arange(5 * shot).unsqueeze(0) % 5
    head = MahalanobisHead()
    expected = brute_force(support[0].double(), labels[0], queries[0].double(), 5, 1.0)
    found = head(queries, head.fit(support, labels, 5))[0].double()
    largest = float((expected - expected.mean(1, keepdim=True)).abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-4 * largest)
