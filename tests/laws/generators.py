"""The laws of a generator, for parameters of any shape."""

import making
import torch
from laws.broken import generators as broken
from laws.cases import Case
from laws.law import Laws
from laws.telling import apart, close, same_state, state_of
from torch import Tensor

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator import GENERATORS, Generator

LAWS = Laws(("generator",))

IDENTITY: TaskParams = {
    "first": {"gamma": torch.ones(3), "beta": torch.zeros(3), "share": torch.tensor(0.5)},
    "second": {"map": torch.eye(2), "kernel": torch.zeros(2, 3, 2)},
}
Z = torch.randn(4, 5, generator=making.seeded())


def generator(case: Case) -> Generator:
    """As it starts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        text = making.small("generator", case.generator)
        return GENERATORS.read(text)(embedding_dim=5, identity=IDENTITY)


def lived_in(case: Case) -> Generator:
    made = generator(case)
    making.lived_in(made)
    return made.eval()


def flat(params: TaskParams) -> Tensor:
    """(task, every value)."""
    return torch.cat([v.reshape(len(v), -1) for p in params.values() for v in p.values()], 1)


@LAWS.law(broken.Random)
def a_generator_starts_at_identity(case: Case) -> None:
    params = generator(case)(Z)
    assert {s: list(p) for s, p in params.items()} == {s: list(p) for s, p in IDENTITY.items()}
    for site, values in IDENTITY.items():
        for name, value in values.items():
            assert torch.equal(params[site][name], value.expand(4, *value.shape)), (site, name)


@LAWS.law(broken.Flat, shapes=True)
def a_generator_keeps_every_shape(case: Case) -> None:
    for tasks in (1, 4):
        params = lived_in(case)(Z[:tasks])
        shapes = {s: {n: v.shape[1:] for n, v in p.items()} for s, p in params.items()}
        assert shapes == {s: {n: v.shape for n, v in p.items()} for s, p in IDENTITY.items()}
        assert all(len(v) == tasks for p in params.values() for v in p.values())


@LAWS.law(broken.MixingTasks)
def each_task_has_its_own_parameters(case: Case) -> None:
    made = lived_in(case)
    close(torch.cat([flat(made(z)) for z in Z.split(1)]), flat(made(Z)))


@LAWS.law(broken.Constant)
def z_steers_every_parameter(case: Case) -> None:
    """Each in its own way: no two of its values move alike."""
    for params in lived_in(case)(Z).values():
        for name, value in params.items():
            assert apart(value[0], value[1]), name


@LAWS.law(broken.Detached, broken.Unhidden)
def a_gradient_reaches_multipliers_first_then_all(case: Case) -> None:
    made = generator(case)
    multipliers = {id(m) for m in made.multipliers()}
    names = {name for name, p in made.named_parameters() if id(p) in multipliers}
    assert names
    assert reached(made) == names, "zero multipliers hide the network behind them"
    making.lived_in(made)
    assert reached(made) == {name for name, _ in made.named_parameters()}


def reached(made: Generator) -> set[str]:
    """The weights with a gradient that is not zero."""
    made.zero_grad()
    found = flat(made(Z))
    if found.requires_grad:
        (found * torch.arange(1.0, found.shape[1] + 1)).sum().backward()
    named = made.named_parameters()
    return {n for n, p in named if p.grad is not None and bool(p.grad.any())}


@LAWS.law(broken.Half)
def parameters_are_float32_in_autocast(case: Case) -> None:
    made = lived_in(case)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        params = made(Z)
    assert all(v.dtype == torch.float32 for p in params.values() for v in p.values())
    close(flat(params), flat(made(Z)), 0.05)


@LAWS.law(broken.Counting)
def a_generator_remembers_nothing(case: Case) -> None:
    made = lived_in(case)
    before, first = state_of(made), flat(made(Z))
    made(Z + 1)
    assert torch.equal(flat(made(Z)), first)
    assert same_state(made, before)
