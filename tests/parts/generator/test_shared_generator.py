import making
import pytest
import torch

from fewshot_film.parts.conditioning import FiLM, Gate, TaskParams
from fewshot_film.parts.generator import SharedGenerator

IDENTITY: TaskParams = {
    "first": {"gamma": torch.ones(3), "beta": torch.zeros(3)},
    "second": {"gate": torch.zeros(2), "map": torch.eye(2)},
}


@pytest.mark.parametrize("mechanism", [FiLM, Gate])
def test_it_starts_at_identity(mechanism: type[FiLM | Gate]) -> None:
    identity = making.extractor("conv4", mechanism).identity()
    params = SharedGenerator(5, identity)(torch.randn(4, 5))
    for site, values in identity.items():
        for name, value in values.items():
            assert torch.equal(params[site][name], value.expand(4, *value.shape))


def test_sites_names_and_shapes() -> None:
    params = SharedGenerator(5, IDENTITY)(torch.randn(4, 5))
    assert {s: list(v) for s, v in params.items()} == {s: list(v) for s, v in IDENTITY.items()}
    assert params["second"]["map"].shape == (4, 2, 2)


def test_every_output_has_a_place_of_its_own() -> None:
    """With the last layer's bias 0, 1, 2, ... the pieces count on from site to site."""
    generator = SharedGenerator(5, IDENTITY)
    *_, last = generator.mlp
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.arange(12.0)
    torch.nn.init.constant_(generator.multiplier, 2.0)
    params = generator(torch.randn(1, 5))
    expected = 2 * torch.arange(12.0)
    places = (("first", "gamma"), ("first", "beta"), ("second", "gate"), ("second", "map"))
    for site, name in places:
        moved = (params[site][name][0] - IDENTITY[site][name]).flatten()
        assert moved.tolist() == expected[: len(moved)].tolist()
        expected = expected[len(moved) :]


def test_identity_plus_multiplier_times_mlp() -> None:
    generator, z = SharedGenerator(5, IDENTITY), torch.randn(4, 5)
    making.lived_in(generator)
    flat = torch.cat([v.flatten(1) for p in generator(z).values() for v in p.values()], 1)
    neutral = torch.cat([v.flatten() for p in IDENTITY.values() for v in p.values()])
    torch.testing.assert_close(flat, neutral + generator.multiplier * generator.mlp(z))


def test_each_task_has_its_own_parameters() -> None:
    generator, z = SharedGenerator(5, IDENTITY), torch.randn(4, 5)
    making.lived_in(generator)
    together, alone = generator(z), generator(z[2:3])
    for site, values in together.items():
        for name, value in values.items():
            torch.testing.assert_close(value[2:3], alone[site][name])
            assert not torch.allclose(value[0], value[1])


def test_params_are_float32_in_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        params = SharedGenerator(5, IDENTITY)(torch.randn(4, 5))
    assert all(v.dtype == torch.float32 for p in params.values() for v in p.values())


def test_only_the_multiplier_moves_at_the_start() -> None:
    generator = SharedGenerator(5, IDENTITY)
    params = generator(torch.randn(4, 5))
    sum(v.sum() for p in params.values() for v in p.values()).backward()
    (multiplier,) = generator.multipliers()
    moved = [p for p in generator.parameters() if p.grad is not None and p.grad.any()]
    assert len(moved) == 1
    assert moved[0] is multiplier
