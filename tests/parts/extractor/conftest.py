from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Weights that a test draws without a generator are the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
