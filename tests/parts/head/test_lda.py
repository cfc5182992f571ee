import making
import numpy as np
import pytest
import torch
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.head import HEADS, LDAHead, PrototypeHead
from fewshot_film.parts.head.lda import oracle_shrinkage

WAY = 3
LABELS = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 0], [2, 2, 1, 1, 0, 0, 2, 1]])


def features(dim: int, seed: int = 0) -> Tensor:
    rng = making.seeded(seed)
    drawn = torch.randn(2, 8, dim, generator=rng, dtype=torch.float64)
    return 5 + drawn @ torch.randn(dim, dim, generator=rng, dtype=torch.float64)


def within(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Feature x feature, by the N - way degrees of freedom."""
    apart = [values[labels == c] - values[labels == c].mean(0) for c in range(WAY)]
    rows = np.concatenate(apart)
    return rows.T @ rows / (len(values) - WAY)


def brute_force(support: Tensor, labels: Tensor, queries: Tensor, s: float) -> Tensor:
    """Minus the distances, by the inverse of a matrix of features x features."""
    values, of = support.numpy(), labels.numpy()
    spread, dim = within(values, of), support.shape[1]
    shrunk = (1 - s) * spread / (np.trace(spread) / dim) + s * np.eye(dim)
    means = np.stack([values[of == c].mean(0) for c in range(WAY)])
    apart = queries.numpy()[:, None] - means
    return -torch.from_numpy(np.einsum("qkd,de,qke->qk", apart, np.linalg.inv(shrunk), apart))


def relative(logits: Tensor) -> Tensor:
    """Less what all classes share, which no softmax sees."""
    return logits - logits.mean(-1, keepdim=True)


def normal(values: Tensor, normalized: bool) -> Tensor:
    return values / values.norm(dim=-1, keepdim=True) if normalized else values


@pytest.mark.parametrize("dim", [1, 2, 5, 30])
@pytest.mark.parametrize("shrinkage", [0.01, 0.4, 1.0])
@pytest.mark.parametrize("normalized", [True, False])
def test_against_the_inverse(normalized: bool, shrinkage: float, dim: int) -> None:
    head = LDAHead(shrinkage=shrinkage, normalized=normalized, scale=2.0).double()
    support, queries = (features(dim + normalized, seed) for seed in (0, 1))
    logits = head(queries, head.fit(support, LABELS, WAY))
    for task in range(2):
        seen = (normal(values[task], normalized) for values in (support, queries))
        expected = 2 * brute_force(next(seen), LABELS[task], next(seen), shrinkage)
        torch.testing.assert_close(
            relative(logits[task]),
            relative(expected),
            rtol=1e-6,
            atol=1e-6 * float(expected.abs().max()),
        )


def test_by_hand() -> None:
    """Along x the classes vary by 2 and along y not at all, 1 on average: S = diag(1.5, 0.5)."""
    support = torch.tensor([[[-1.0, 0.0], [1.0, 0.0], [-1.0, 2.0], [1.0, 2.0]]])
    head = LDAHead(shrinkage=0.5, normalized=False, scale=1.0)
    logits = head(torch.zeros(1, 1, 2), head.fit(support, torch.tensor([[0, 0, 1, 1]]), 2))
    torch.testing.assert_close(relative(logits), torch.tensor([[[4.0, -4.0]]]))


@pytest.mark.parametrize("shrinkage", ["none", "0.01", "1"])
@pytest.mark.parametrize("dim", [1, 2, 3, 20])
def test_at_one_shot_it_is_the_distance_to_the_prototypes(dim: int, shrinkage: str) -> None:
    support, queries = features(dim)[:, :4], features(dim, seed=1)
    labels = torch.tensor([[1, 3, 0, 2], [0, 1, 2, 3]])
    head = HEADS.read(f"lda:shrinkage={shrinkage},normalized=no,scale=1")().double()
    plain = PrototypeHead().double()
    expected = plain(queries, plain.fit(support, labels, 4))
    found = head(queries, head.fit(support, labels, 4))
    torch.testing.assert_close(relative(found), relative(expected))


def test_so_it_is_when_shrunk_all_the_way() -> None:
    support, queries = features(6), features(6, seed=1)
    head, plain = LDAHead(shrinkage=1.0, normalized=False, scale=1.0).double(), PrototypeHead()
    expected = plain(queries, plain.fit(support, LABELS, WAY))
    found = head(queries, head.fit(support, LABELS, WAY))
    torch.testing.assert_close(relative(found), relative(expected))


def test_equal_images_do_not_vary() -> None:
    """Rounding of their mean is no covariance."""
    support = features(6).float()[:, :3].repeat_interleave(3, 1) + 100
    labels = torch.arange(3).repeat_interleave(3).expand(2, -1)
    queries = features(6, seed=1).float() + 100
    head, plain = LDAHead(normalized=False, scale=1.0), PrototypeHead()
    expected = relative(plain(queries, plain.fit(support, labels, WAY))).detach()
    found = relative(head(queries, head.fit(support, labels, WAY)))
    largest = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * largest)


def oracle(spread: np.ndarray, freedom: int) -> float:
    """Equation 23 of Chen et al. 2010."""
    p, square, trace = len(spread), np.trace(spread @ spread), np.trace(spread)
    above = (1 - 2 / p) * square + trace**2
    below = (freedom + 1 - 2 / p) * (square - trace**2 / p)
    return min(1.0, above / below)


@pytest.mark.parametrize("dim", [2, 5, 40])
def test_the_shrinkage_against_its_formula(dim: int) -> None:
    """And it is what a head takes that was told none."""
    support, queries = features(dim), features(dim, seed=1)
    head = LDAHead(normalized=False, scale=1.0).double()
    logits = head(queries, head.fit(support, LABELS, WAY))
    for task in range(2):
        expected = oracle(within(support[task].numpy(), LABELS[task].numpy()), 5)
        rows = support[task] - torch.stack(
            [support[task][LABELS[task] == c].mean(0) for c in LABELS[task]]
        )
        gram = 7 * (rows @ rows.T).unsqueeze(0)
        assert float(oracle_shrinkage(gram, 5, dim)) == pytest.approx(expected)
        by_it = brute_force(support[task], LABELS[task], queries[task], expected)
        torch.testing.assert_close(relative(logits[task]), relative(by_it))


def test_many_images_are_shrunk_little() -> None:
    rng = making.seeded()
    rows = torch.randn(1, 4000, 3, generator=rng, dtype=torch.float64) * torch.tensor([1.0, 5, 9])
    gram = rows.transpose(1, 2) @ rows  # of the same traces as the one of the examples
    assert float(oracle_shrinkage(gram, 4000, 3)) < 0.002


@pytest.mark.parametrize(
    ("shrinkage", "message"), [("0", "must be above 0"), ("1.5", "must be at most 1")]
)
def test_a_shrinkage_that_is_none(shrinkage: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"lda:shrinkage` is .*; it {message}"):
        HEADS.read(f"lda:shrinkage={shrinkage}")
