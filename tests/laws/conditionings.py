"""The laws of a mechanism at a site."""

import making
import torch
from laws.broken import conditionings as broken
from laws.cases import Case
from laws.exceptions import NOT_NEUTRAL, NOT_STEERED
from laws.law import Laws
from laws.telling import apart, away, close, same_state, state_of
from torch import Tensor

from fewshot_film.parts.conditioning import CONDITIONINGS, Conditioning
from fewshot_film.parts.normalization import NORMALIZATIONS

LAWS = Laws(("conditioning",))

CHANNELS = 4
SPACES = ((), (5,), (4, 3), (2, 3, 2))


def mechanism(case: Case) -> Conditioning:
    return CONDITIONINGS.read(case.conditioning)(channels=CHANNELS)


def values(*space: int, tasks: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(tasks, 3, CHANNELS, *space, generator=making.seeded(seed))


@LAWS.law(broken.Widening, shapes=True)
def a_mechanism_keeps_the_shape(case: Case) -> None:
    site = mechanism(case)
    params = away(site.identity(), 2)
    for space in SPACES:
        h = values(*space)
        assert site(h, params).shape == h.shape


@LAWS.law(broken.Deaf, exceptions=NOT_STEERED)
def every_parameter_matters(case: Case) -> None:
    site, h = mechanism(case), values(5, 5)
    params = away(site.identity(), 2)
    assert params
    for name, value in away(site.identity(), 2, seed=1).items():
        assert apart(site(h, {**params, name: value}), site(h, params)), name


@LAWS.law(broken.Shifting, exceptions=NOT_NEUTRAL)
def identity_is_neutral(case: Case) -> None:
    site, h = mechanism(case), values(5, 5)
    params = {name: value.expand(2, *value.shape) for name, value in site.identity().items()}
    close(site(h, params), h, 1e-6)


@LAWS.law(broken.MixingTasks, broken.MixingExamples)
def each_task_and_example_on_its_own(case: Case) -> None:
    site, h = mechanism(case), values(5, 5, tasks=3)
    params = away(site.identity(), 3)
    alone = [
        site(h[t : t + 1, 1:2], {name: value[t : t + 1] for name, value in params.items()})
        for t in range(3)
    ]
    close(torch.cat(alone), site(h, params)[:, 1:2])


@LAWS.law(broken.Coarse, broken.Single)
def a_mechanism_is_as_precise_as_its_input(case: Case) -> None:
    site, h = mechanism(case), values(5, 5)
    params = away(site.identity(), 2)
    exact = site(h.double(), {name: value.double() for name, value in params.items()})
    assert exact.dtype == torch.float64
    close(site(h, params), exact.float(), 1e-6)
    half = site(h.bfloat16(), params)
    assert half.dtype == torch.bfloat16
    close(half.float(), exact.float(), 2e-2)


@LAWS.law(broken.Detached)
def gradients_pass_through_a_mechanism(case: Case) -> None:
    site, h = mechanism(case), values(5, 5).requires_grad_()
    params = {name: value.requires_grad_() for name, value in away(site.identity(), 2).items()}
    site(h, params).square().sum().backward()
    for value in (h, *params.values()):
        assert value.grad is not None
        assert value.grad.any()


@LAWS.law(broken.Counting)
def a_mechanism_remembers_nothing(case: Case) -> None:
    site, h = mechanism(case), values(5, 5)
    params, before = away(site.identity(), 2), state_of(site)
    first = site(h, params)
    site(values(5, 5, seed=1), away(site.identity(), 2, seed=1))
    assert torch.equal(site(h, params), first)
    assert same_state(site, before)


@LAWS.law(broken.NamedMean)
def its_names_are_no_normalization_s(case: Case) -> None:
    """What a normalization keeps of the support set travels with the parameters."""
    names = mechanism(case).identity().keys()
    for part in NORMALIZATIONS.names:
        kept = NORMALIZATIONS.read(part)(channels=CHANNELS).eval().describe(values(5, 5))
        assert names.isdisjoint(kept), part
