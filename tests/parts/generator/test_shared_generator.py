import making
import torch
from torch import nn

from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.generator import GENERATORS, SharedGenerator

IDENTITY: TaskParams = {
    "first": {"gamma": torch.ones(3), "beta": torch.zeros(3)},
    "second": {"gate": torch.zeros(2), "map": torch.eye(2)},
}


def test_every_output_has_a_place_of_its_own() -> None:
    """With the last layer's bias 0, 1, 2, ... the pieces count on from site to site."""
    generator = SharedGenerator(5, IDENTITY)
    *_, last = generator.mlp
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    last.bias.data = torch.arange(12.0)
    nn.init.constant_(generator.multiplier, 2.0)
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


def test_the_width_of_its_network() -> None:
    made = GENERATORS.read("shared:hidden_dim=7")(embedding_dim=5, identity=IDENTITY)
    assert isinstance(made, SharedGenerator)
    layers = [layer for layer in made.mlp if isinstance(layer, nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in layers] == [(7, 5), (7, 7), (12, 7)]
    (multiplier,) = made.multipliers()
    assert multiplier.shape == (12,)
    assert not multiplier.any()
