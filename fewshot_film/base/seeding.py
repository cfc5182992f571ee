"""Random numbers that are a function of what they are for, so that a position can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

TRAINING, VALIDATION, TEST, WEIGHTS, NOISE, POOL = range(6)
"""The streams of one seed; each is independent of the others."""


def generator(seed: int, stream: int, position: int = 0) -> torch.Generator:
    """(seed, stream, position) -> a fresh CPU generator.

    A training run keeps no generator's state: step `i` draws from position `i`, episode `i` of an
    evaluation too, on every device and for every batch size.
    """
    words = np.random.SeedSequence([seed, stream, position]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]))


@contextmanager
def seeded_weights(seed: int, part: int) -> Iterator[None]:
    """Modules built inside draw their weights from (seed, part); the global generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator(seed, WEIGHTS, part).get_state())
        yield


@contextmanager
def seeded_noise(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Layers that draw numbers inside draw those of (seed, step); global generators are kept."""
    number = generator(seed, NOISE, step).initial_seed()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(number)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        yield


def uniform(
    shape: tuple[int, ...], low: float, high: float, rng: torch.Generator, device: torch.device
) -> Tensor:
    """Uniform numbers in [low, high), made where `rng` lives and moved to `device`."""
    unit = torch.rand(shape, generator=rng, device=rng.device)
    return (low + (high - low) * unit).to(device)
