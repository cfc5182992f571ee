import making
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import FiLM, TaskParams
from fewshot_film.parts.extractor import ResNet12
from fewshot_film.parts.generator import GENERATORS, PerSiteGenerator

IDENTITY: TaskParams = {
    "first": {"gamma": torch.ones(3), "beta": torch.zeros(3)},
    "second": {"gate": torch.zeros(2), "map": torch.eye(2)},
}
PLACES = [(site, name) for site, params in IDENTITY.items() for name in params]


def lived_in(embedding_dim: int = 5) -> PerSiteGenerator:
    torch.manual_seed(0)
    generator = PerSiteGenerator(embedding_dim, IDENTITY)
    making.lived_in(generator)
    return generator


def test_the_formula_by_hand() -> None:
    generator, z = lived_in().double(), torch.randn(4, 5, dtype=torch.float64)
    params, state = generator(z), generator.state_dict()

    def dense(place: str, layer: int, x: Tensor) -> Tensor:
        return x @ state[f"{place}.layers.{layer}.weight"].T + state[f"{place}.layers.{layer}.bias"]

    for site, name in PLACES:
        place = f"nets.{site}.{name}"
        x1 = F.silu(dense(place, 0, z))
        x2 = F.silu(x1 + dense(place, 1, x1))
        x3 = (x2 + dense(place, 2, x2)).unflatten(1, IDENTITY[site][name].shape)
        expected = IDENTITY[site][name].double() + state[f"{place}.multiplier"] * x3
        torch.testing.assert_close(params[site][name], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("site", "name"), PLACES)
def test_every_site_and_name_has_its_own_net(site: str, name: str) -> None:
    generator = lived_in()
    generator(torch.randn(4, 5))[site][name].sum().backward()
    touched = {n for n, p in generator.named_parameters() if p.grad is not None}
    assert touched == {
        f"nets.{site}.{name}.{part}"
        for part in (
            "multiplier",
            *(f"layers.{i}.{kind}" for i in range(3) for kind in ("weight", "bias")),
        )
    }


def test_every_site_and_name_has_one_multiplier() -> None:
    multipliers = PerSiteGenerator(5, IDENTITY).multipliers()
    assert len({id(m) for m in multipliers}) == len(multipliers) == len(PLACES)
    assert all(m.shape == () and not m.any() for m in multipliers)


def test_starting_weights() -> None:
    """N(0, 0.2 / inputs), measured from 65536 and 262144 weights; biases zero."""
    net = PerSiteGenerator(64, {"site": {"gamma": torch.ones(512)}}).nets["site"]["gamma"]
    for layer in net.layers:
        weights = layer.weight.detach() * layer.in_features**0.5
        assert abs(float(weights.mean())) < 0.01
        assert float(weights.var()) == pytest.approx(0.2, rel=0.05)
        assert not layer.bias.any()


def test_the_size_in_tadam() -> None:
    """ResNet-12 of 64 to 512 channels: 12 sites with gamma and beta, z of 512 numbers."""
    with torch.device("meta"):
        generator = PerSiteGenerator(512, ResNet12(FiLM).identity())
    assert len(generator.multipliers()) == 24
    assert sum(p.numel() for p in generator.parameters()) == 7_144_320 + 24


def test_the_sizes_of_the_multipliers() -> None:
    generator = PerSiteGenerator(5, IDENTITY)
    with torch.no_grad():
        for i, multiplier in enumerate(generator.multipliers()):
            multiplier.fill_((-1) ** i * i / 4)
    assert generator.multiplier_sizes() == {
        "first": {"gamma": 0.0, "beta": 0.25},
        "second": {"gate": 0.5, "map": 0.75},
    }


@pytest.mark.parametrize("name", GENERATORS.names)
def test_sites_without_parameters_are_refused(name: str) -> None:
    with pytest.raises(
        UsageError, match="nothing to generate; pass another `conditioning`, an `extractor`"
    ):
        GENERATORS.read(name)(embedding_dim=5, identity={})
