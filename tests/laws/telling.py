"""What the laws are told with."""

import io
import warnings
from dataclasses import replace

import making
import torch
from torch import Tensor, nn

from fewshot_film.parts.conditioning import SiteParams
from fewshot_film.tasks.episode import Episode

EVERY = slice(None)
ORDER = torch.tensor([4, 2, 0, 5, 3, 1])
"""Of three classes' six images."""


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    """Equal up to rounding, on the scale of the largest value, in shape too."""
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance * largest(b))


def apart(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether they differ by more than rounding, on the scale of the largest value."""
    return float((a - b).detach().abs().max()) > tolerance * largest(b)


def largest(values: Tensor) -> float:
    found = float(values.detach().abs().max())
    assert found > 0, "zeros tell nothing"
    return found


def away(identity: SiteParams, tasks: int, seed: int = 0) -> SiteParams:
    """Random parameters of any shape for every task, away from identity."""
    rng = making.seeded(seed)
    return {
        name: value + torch.randn(tasks, *value.shape, generator=rng)
        for name, value in identity.items()
    }


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def same_state(module: nn.Module, before: dict[str, Tensor]) -> bool:
    after = module.state_dict()
    assert after.keys() == before.keys()
    return all(torch.equal(after[key], value) for key, value in before.items())


def saved_and_loaded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Tensor] = torch.load(buffer)
    return loaded


def exported(module: nn.Module, arguments: tuple[object, ...]) -> nn.Module:
    """The module written by torch.export and read back."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch.export.save takes every channels-last weight for a part of a larger tensor
        warnings.filterwarnings("ignore", "No complete tensor found", UserWarning)
        torch.export.save(torch.export.export(module, arguments), buffer)
    buffer.seek(0)
    return torch.export.load(buffer).module()


def in_float64(episode: Episode) -> Episode:
    support = replace(episode.support, images=episode.support.images.double())
    query = replace(episode.query, images=episode.query.images.double())
    return replace(episode, support=support, query=query)
