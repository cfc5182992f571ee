"""The laws of a head."""

import making
import torch
from laws.broken import heads as broken
from laws.cases import Case
from laws.law import Laws
from laws.telling import close, same_state, state_of

from fewshot_film.parts.head import HEADS, PrototypeHead

LAWS = Laws(("head",))

QUERIES = torch.randn(3, 7, 5, generator=making.seeded())
PROTOTYPES = torch.randn(3, 4, 5, generator=making.seeded(1))


def head(case: Case) -> PrototypeHead:
    return HEADS.read(case.head)()


@LAWS.law(broken.Renaming)
def a_permutation_of_the_classes_permutes_the_logits(case: Case) -> None:
    made, order = head(case), torch.tensor([2, 0, 3, 1])
    close(made(QUERIES, PROTOTYPES[:, order]), made(QUERIES, PROTOTYPES)[..., order])


@LAWS.law(broken.MixingQueries, broken.MixingTasks, shapes=True)
def each_query_is_answered_on_its_own(case: Case) -> None:
    made = head(case)
    logits = made(QUERIES, PROTOTYPES)
    assert logits.shape == (3, 7, 4)
    close(made(QUERIES[1:2, 4:5], PROTOTYPES[1:2]), logits[1:2, 4:5])


@LAWS.law(broken.Farther)
def larger_is_closer(case: Case) -> None:
    nearest = head(case)(PROTOTYPES + 0.01, PROTOTYPES).argmax(2)
    assert torch.equal(nearest, torch.arange(4).expand(3, -1))


@LAWS.law(broken.Half)
def a_head_computes_in_float32(case: Case) -> None:
    made = head(case)
    expected = made(QUERIES.bfloat16().float(), PROTOTYPES.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = made(QUERIES.bfloat16(), PROTOTYPES.bfloat16())
    assert logits.dtype == torch.float32
    assert torch.equal(logits, expected)


@LAWS.law(broken.Rooted)
def near_duplicates_are_finite(case: Case) -> None:
    """Rounding may take a squared distance below zero, where a root has no value."""
    prototypes = 30 * torch.rand(1, 64, 16, generator=making.seeded(1))
    for distance in (0.0, 1e-8, 1e-4):
        queries = (prototypes + distance).requires_grad_()
        logits = head(case)(queries, prototypes)
        logits.sum().backward()
        assert logits.isfinite().all()
        assert queries.grad is not None
        assert queries.grad.isfinite().all()


@LAWS.law(broken.Counting)
def a_head_remembers_nothing(case: Case) -> None:
    made = head(case)
    before, first = state_of(made), made(QUERIES, PROTOTYPES)
    made(QUERIES + 1, PROTOTYPES - 1)
    assert torch.equal(made(QUERIES, PROTOTYPES), first)
    assert same_state(made, before)
