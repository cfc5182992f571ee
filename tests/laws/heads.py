"""The laws of a head."""

import making
import torch
from laws.broken import heads as broken
from laws.cases import Case
from laws.law import Laws
from laws.telling import apart, close, same_state, state_of
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.head import HEADS, Head

LAWS = Laws(("head",))

WAY, SHOT = 4, 3
LABELS = making.labeled(3, WAY, SHOT).labels
CENTERS = 3 * torch.randn(3, WAY, 5, generator=making.seeded(1))
SUPPORT = CENTERS.gather(1, LABELS.unsqueeze(2).expand(-1, -1, 5))
SUPPORT = SUPPORT + torch.randn(SUPPORT.shape, generator=making.seeded(2))
QUERIES = torch.randn(3, 7, 5, generator=making.seeded())
RENAMED = torch.tensor([2, 0, 3, 1])


def head(case: Case) -> Head:
    return HEADS.read(case.head)()


def answers(made: Head, support: Tensor = SUPPORT, labels: Tensor = LABELS) -> Tensor:
    logits: Tensor = made(QUERIES.to(support), made.fit(support, labels, WAY))
    return logits


def refusal(made: Head, support: Tensor, labels: Tensor) -> str:
    """Why none of these can be left out."""
    try:
        made.leave_one_out(support, labels, WAY)
    except UsageError as error:
        return str(error)
    return ""


@LAWS.law(broken.Renaming)
def names_of_the_classes_do_not_matter_to_a_head(case: Case) -> None:
    made = head(case)
    close(answers(made, labels=RENAMED[LABELS])[..., RENAMED], answers(made))


@LAWS.law(broken.Ordered)
def nor_does_the_order_of_its_support(case: Case) -> None:
    made, order = head(case), torch.randperm(WAY * SHOT, generator=making.seeded(3))
    close(answers(made, SUPPORT[:, order], LABELS[:, order]), answers(made))


@LAWS.law(broken.MixingQueries, broken.MixingTasks, broken.FittingTogether, shapes=True)
def each_query_and_task_is_answered_on_its_own(case: Case) -> None:
    made, one = head(case), slice(1, 2)
    fitted, alone = made.fit(SUPPORT, LABELS, WAY), made.fit(SUPPORT[one], LABELS[one], WAY)
    assert fitted.keys() == alone.keys()
    for name, value in fitted.items():
        close(alone[name], value[one])
    logits = made(QUERIES, fitted)
    assert logits.shape == (3, 7, WAY)
    close(made(QUERIES[one, 4:5], alone), logits[one, 4:5])


@LAWS.law(broken.Farther)
def larger_is_closer(case: Case) -> None:
    made = head(case)
    nearest = made(CENTERS, made.fit(SUPPORT, LABELS, WAY)).argmax(2)
    assert torch.equal(nearest, torch.arange(WAY).expand(3, -1))


@LAWS.law(broken.Half)
def a_head_computes_in_float32(case: Case) -> None:
    made = head(case)
    support, queries = SUPPORT.bfloat16(), QUERIES.bfloat16()
    expected = made(queries.float(), made.fit(support.float(), LABELS, WAY))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = made(queries, made.fit(support, LABELS, WAY))
    assert logits.dtype == torch.float32
    assert torch.equal(logits, expected)


@LAWS.law(broken.Coarse)
def or_in_float64_if_it_is_given(case: Case) -> None:
    exact = answers(head(case).double(), SUPPORT.double())
    assert exact.dtype == torch.float64
    close(answers(head(case)), exact.float())


@LAWS.law(broken.Detached, broken.DetachedQueries)
def its_gradient_is_that_of_the_logits(case: Case) -> None:
    """By finite differences, of the support set's features and of the queries."""
    made = head(case).double()

    def logits(support: Tensor, queries: Tensor) -> Tensor:
        found: Tensor = made(queries, made.fit(support, LABELS, WAY))
        return found

    given = tuple(values.double().requires_grad_() for values in (SUPPORT, QUERIES))
    assert torch.autograd.gradcheck(logits, given, raise_exception=False, fast_mode=True)


@LAWS.law(broken.Varying)
def one_shot_is_enough(case: Case) -> None:
    """With fewer examples than features, too; and another support set gives other answers."""
    made, wide = head(case), torch.randn(2, 2, WAY, 40, generator=making.seeded(4))
    labels, queries = torch.arange(WAY).expand(2, -1), wide.mean(1)
    given = wide[0].requires_grad_()
    logits = made(queries, made.fit(given, labels, WAY))
    assert logits.isfinite().all()
    assert apart(logits, made(queries, made.fit(wide[1], labels, WAY)))
    logits.square().sum().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    assert given.grad.any()


@LAWS.law(broken.Rooted)
def near_duplicates_are_finite(case: Case) -> None:
    """Rounding may take a squared distance below zero, where a root has no value."""
    prototypes = 30 * torch.rand(1, 64, 16, generator=making.seeded(1))
    labels = torch.arange(64).unsqueeze(0)
    for distance in (0.0, 1e-8, 1e-4):
        queries = (prototypes + distance).requires_grad_()
        made = head(case)
        logits = made(queries, made.fit(prototypes, labels, 64))
        logits.sum().backward()
        assert logits.isfinite().all()
        assert queries.grad is not None
        assert queries.grad.isfinite().all()


@LAWS.law(broken.Varying)
def a_class_of_equal_images_is_finite(case: Case) -> None:
    made, given = head(case), CENTERS.repeat_interleave(2, 1).requires_grad_()
    labels = torch.arange(WAY).repeat_interleave(2).expand(3, -1)
    logits = answers(made, given, labels)
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert given.grad is not None
    assert given.grad.isfinite().all()


@LAWS.law(broken.Seeing)
def leaving_one_out_is_fitting_without_it(case: Case) -> None:
    made, every = head(case), torch.arange(WAY * SHOT)
    found = made.leave_one_out(SUPPORT, LABELS, WAY)
    for i in every:
        others = every[every != i]
        fitted = made.fit(SUPPORT[:, others], LABELS[:, others], WAY)
        close(found[:, i], made(SUPPORT[:, i : i + 1], fitted).squeeze(1), 1e-4)


@LAWS.law(broken.Willing)
def leaving_the_only_one_out_is_refused(case: Case) -> None:
    labels = torch.tensor([0, 0, 1, 2, 2, 3, 3, 3]).expand(3, -1)
    found = refusal(head(case), SUPPORT[:, :8], labels)
    assert "`labels` name class 1 of task 0 once" in found
    assert not refusal(head(case), SUPPORT, LABELS)


@LAWS.law(broken.Counting)
def a_head_remembers_nothing(case: Case) -> None:
    made = head(case)
    before, first = state_of(made), answers(made)
    answers(made, SUPPORT.flip(2) - 1)
    assert torch.equal(answers(made), first)
    assert same_state(made, before)
