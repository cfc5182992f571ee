import pytest
import torch
from torch import Tensor, nn

from fewshot_film.base.seeding import (
    TEST,
    TRAINING,
    VALIDATION,
    WEIGHTS,
    generator,
    seeded_noise,
    seeded_weights,
    uniform,
)


def drawn(seed: int, stream: int, position: int = 0) -> Tensor:
    return torch.rand(8, generator=generator(seed, stream, position))


def weights(seed: int, part: int) -> Tensor:
    with seeded_weights(seed, part):
        return nn.Linear(4, 4).weight.detach()


def test_a_generator_is_a_function_of_seed_stream_and_position() -> None:
    assert torch.equal(drawn(3, TEST, 5), drawn(3, TEST, 5))
    keys = [(s, t, p) for s in range(3) for t in range(4) for p in range(5)]
    assert len({tuple(drawn(*key).tolist()) for key in keys}) == len(keys)
    assert len({TRAINING, VALIDATION, TEST, WEIGHTS}) == 4


def test_neighbouring_positions_are_not_alike() -> None:
    first = torch.tensor([drawn(0, TEST, i)[0] for i in range(500)])
    assert abs(first.mean() - 0.5) < 0.05
    assert abs(torch.corrcoef(torch.stack([first[:-1], first[1:]]))[0, 1]) < 0.15


def test_weights_are_a_function_of_seed_and_part() -> None:
    assert torch.equal(weights(1, 2), weights(1, 2))
    assert not torch.equal(weights(1, 2), weights(1, 3))
    assert not torch.equal(weights(1, 2), weights(2, 2))


def test_the_global_generator_is_kept() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    weights(1, 2)
    assert torch.equal(torch.rand(3), expected)


def test_uniform() -> None:
    numbers = uniform((4000,), -2.0, 3.0, generator(0, TEST), torch.device("cpu"))
    assert numbers.min() >= -2
    assert numbers.max() < 3
    quarters = torch.histc(numbers, 4, -2, 3)
    assert ((quarters - 1000).abs() < 120).all()


def noise(seed: int, step: int) -> Tensor:
    with seeded_noise(seed, step, torch.device("cpu")):
        return torch.rand(4)


def test_noise_is_a_function_of_seed_and_step() -> None:
    state = torch.get_rng_state()
    assert torch.equal(noise(1, 2), noise(1, 2))
    assert not torch.equal(noise(1, 2), noise(1, 3))
    assert not torch.equal(noise(1, 2), noise(2, 2))
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_on_a_cpu_leaves_other_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    with seeded_noise(0, 1, torch.device("cpu")):
        torch.rand(1)
    assert not seeded
