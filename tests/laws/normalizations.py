"""The laws of a normalization at a site, in evaluation."""

import copy

import making
import torch
from laws.broken import normalizations as broken
from laws.cases import Case
from laws.exceptions import TRANSDUCTIVE
from laws.law import Laws
from laws.telling import close, same_state, state_of
from torch import Tensor

from fewshot_film.parts.normalization import NORMALIZATIONS, Normalization

LAWS = Laws(("normalization",))

CHANNELS = 6


def normalization(case: Case) -> Normalization:
    """One that is lived-in."""
    norm = NORMALIZATIONS.read(case.normalization)(channels=CHANNELS)
    making.lived_in(norm)
    making.calibrate(norm, lambda _: norm(values(32, tasks=1, seed=9), {}))
    return norm.eval()


def values(examples: int, tasks: int = 3, seed: int = 0) -> Tensor:
    """(tasks, examples, channels, 4, 4), channels apart in mean and scale."""
    h = torch.randn(tasks, examples, CHANNELS, 4, 4, generator=making.seeded(seed))
    return h * torch.linspace(0.5, 3, CHANNELS).view(-1, 1, 1) + torch.arange(6.0).view(-1, 1, 1)


@LAWS.law(broken.Flattening, shapes=True)
def a_normalization_keeps_the_shape(case: Case) -> None:
    norm = normalization(case)
    kept = norm.describe(values(4))
    for dtype in (torch.float64, torch.float32):
        h = values(5).to(dtype)
        found = copy.deepcopy(norm).to(dtype)(h, {name: v.to(dtype) for name, v in kept.items()})
        assert found.shape == h.shape
        assert found.dtype == dtype
        assert found.isfinite().all()


@LAWS.law(broken.MixingTasks)
def each_task_is_normalised_on_its_own(case: Case) -> None:
    norm, support, h = normalization(case), values(4), values(5, seed=1)
    tasks = zip(h.split(1), support.split(1), strict=True)
    alone = [norm(one, norm.describe(own)) for one, own in tasks]
    close(torch.cat(alone), norm(h, norm.describe(support)))


@LAWS.law(broken.Peeking, exceptions=TRANSDUCTIVE)
def each_query_is_normalised_on_its_own(case: Case) -> None:
    norm, h = normalization(case), values(5, seed=1)
    kept = norm.describe(values(4))
    close(norm(h[:, 2:3], kept), norm(h, kept)[:, 2:3])


@LAWS.law(broken.Peeking)
def a_normalization_says_whether_it_is_transductive(case: Case) -> None:
    norm, h = normalization(case), values(5, seed=1)
    kept = norm.describe(values(4))
    alone, together = norm(h[:, 2:3], kept), norm(h, kept)[:, 2:3]
    assert torch.allclose(alone, together, atol=1e-4) == (not norm.transductive)


@LAWS.law(broken.Ordered)
def the_order_of_what_is_described_does_not_matter(case: Case) -> None:
    norm, support, h = normalization(case), values(4), values(5, seed=1)
    close(norm(h, norm.describe(support.flip(1))), norm(h, norm.describe(support)))


@LAWS.law(broken.Hiding)
def a_normalization_says_whether_it_keeps_anything(case: Case) -> None:
    norm = normalization(case)
    for mode in (True, False):
        assert bool(norm.train(mode).describe(values(4))) == norm.keeps


@LAWS.law(broken.Dividing)
def a_constant_support_set_stays_finite(case: Case) -> None:
    norm = normalization(case)
    kept = norm.describe(torch.ones(1, 3, CHANNELS, 2, 2))
    assert norm(values(2, tasks=1), kept).isfinite().all()


@LAWS.law(broken.Following)
def a_normalization_remembers_nothing(case: Case) -> None:
    norm, h = normalization(case), values(5)
    kept, before = norm.describe(values(4)), state_of(norm)
    first = norm(h, kept)
    norm(values(5, seed=2), norm.describe(values(4, seed=3)))
    assert torch.equal(norm(h, kept), first)
    assert same_state(norm, before)


@LAWS.law(broken.Detached)
def gradients_reach_what_a_normalization_learns(case: Case) -> None:
    norm, h = normalization(case).train(), values(5).requires_grad_()
    norm(h, norm.describe(values(4, seed=1))).square().sum().backward()
    for value in (h, *norm.parameters()):
        assert value.grad is not None
        assert value.grad.any()
