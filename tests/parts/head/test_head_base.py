"""What every head has from its base."""

import copy
import pickle

import making
import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.head import HEADS, Head, HeadParams, PrototypeHead

LABELS = torch.tensor([[0, 1, 2, 0, 1, 2]])
FEATURES = torch.randn(1, 6, 4, generator=making.seeded())


class Recorder(PrototypeHead):
    """It writes down what its two methods are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.dtype, bool]] = []

    def estimate(self, features: torch.Tensor, labels: torch.Tensor, way: int) -> HeadParams:
        self.seen.append((features.dtype, torch.is_autocast_enabled("cpu")))
        return super().estimate(features, labels, way)

    def score(self, queries: torch.Tensor, fitted: HeadParams) -> torch.Tensor:
        assert queries.dtype == fitted["prototypes"].dtype
        self.seen.append((queries.dtype, torch.is_autocast_enabled("cpu")))
        return super().score(queries, fitted)


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_a_head_of_ones_own_is_given_exact_features(
    given: torch.dtype, computed: torch.dtype
) -> None:
    head, features = Recorder(), FEATURES.to(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        head(features, head.fit(features, LABELS, 3))
        head.leave_one_out(features, LABELS, 3)
    assert len(head.seen) >= 2
    assert set(head.seen) == {(computed, False)}


def test_what_is_fitted_is_taken_in_the_queries_precision() -> None:
    """As by an adapted classifier that was moved to another."""
    head = PrototypeHead()
    fitted = {name: v.double() for name, v in head.fit(FEATURES, LABELS, 3).items()}
    assert head(FEATURES, fitted).dtype == torch.float32


@pytest.mark.parametrize("name", HEADS.names)
def test_labels_of_which_one_cannot_be_left_out(name: str) -> None:
    labels = torch.tensor([[0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 0]])
    with pytest.raises(
        UsageError, match=r"^`labels` name class 2 of task 1 once at most, and leav"
    ):
        HEADS.read(name)().leave_one_out(FEATURES.expand(2, -1, -1), labels, 3)


@pytest.mark.parametrize("name", HEADS.names)
def test_a_head_is_copied_and_pickled(name: str) -> None:
    head = HEADS.read(f"{name}:scale=2.5")()
    expected = head(FEATURES, head.fit(FEATURES, LABELS, 3))
    for other in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert torch.equal(other(FEATURES, other.fit(FEATURES, LABELS, 3)), expected)


@pytest.mark.parametrize("name", HEADS.names)
def test_the_scale_multiplies_and_is_learned_unless_told(name: str) -> None:
    once, twice = (HEADS.read(f"{name}:scale={scale}")() for scale in (1.0, 2.0))
    logits = once(FEATURES, once.fit(FEATURES, LABELS, 3))
    torch.testing.assert_close(twice(FEATURES, twice.fit(FEATURES, LABELS, 3)), 2 * logits)
    assert [name for name, p in once.named_parameters() if p.requires_grad] == ["log_scale"]
    fixed: Head = HEADS.read(f"{name}:learned=no")()
    assert not any(p.requires_grad for p in fixed.parameters())


@pytest.mark.parametrize("name", HEADS.names)
def test_features_that_are_not_finite_are_seen_in_the_logits(name: str) -> None:
    """The weights are broken then, and who asks for the logits says so."""
    head, broken = HEADS.read(name)(), FEATURES.clone()
    broken[0, 1] = torch.nan
    logits = head(FEATURES, head.fit(broken, LABELS, 3))
    assert not logits.isfinite().all()
