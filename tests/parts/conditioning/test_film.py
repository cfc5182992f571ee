import pytest
import torch
from torch import Tensor, nn

from fewshot_film.parts.conditioning import Bias, FiLM, Gate, Scale

H = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
GAMMA, BETA = H[:, 0, :, 0, 0], H[:, 1, :, 1, 1]


def by_loop(h: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """gamma * h + beta, one number at a time."""
    out = torch.empty_like(h)
    for index in torch.cartesian_prod(*(torch.arange(n) for n in h.shape)).tolist():
        t, _, c = index[:3]
        out[tuple(index)] = gamma[t, c].item() * h[tuple(index)].item() + beta[t, c].item()
    return out


def test_film_is_gamma_h_plus_beta() -> None:
    torch.testing.assert_close(FiLM(4)(H, {"gamma": GAMMA, "beta": BETA}), by_loop(H, GAMMA, BETA))


def test_bias_is_film_with_gamma_one() -> None:
    torch.testing.assert_close(Bias(4)(H, {"beta": BETA}), by_loop(H, torch.ones_like(GAMMA), BETA))


def test_scale_is_film_with_beta_zero() -> None:
    torch.testing.assert_close(
        Scale(4)(H, {"gamma": GAMMA}), by_loop(H, GAMMA, torch.zeros_like(BETA))
    )


def test_gate_scales_by_a_sigmoid() -> None:
    scale = 1 / (1 + torch.exp(-GAMMA))
    torch.testing.assert_close(
        Gate(4)(H, {"gate": GAMMA}), by_loop(H, scale, torch.zeros_like(BETA))
    )


def test_gate_starts_at_a_half() -> None:
    gate = Gate(4)
    params = {name: value.expand(2, -1) for name, value in gate.identity().items()}
    assert torch.equal(gate(H, params), H / 2)


@pytest.mark.parametrize(
    ("mechanism", "names"),
    [(FiLM, {"gamma", "beta"}), (Bias, {"beta"}), (Scale, {"gamma"}), (Gate, {"gate"})],
)
def test_names_and_shapes(mechanism: type[FiLM | Bias | Scale | Gate], names: set[str]) -> None:
    identity = mechanism(7).identity()
    assert set(identity) == names
    assert all(value.shape == (7,) for value in identity.values())
    assert not list(mechanism(7).parameters())


@pytest.mark.parametrize("training", [True, False])
def test_film_folds_into_batch_norm(training: bool) -> None:
    """gamma (w x + b) + beta is batch norm with w' = gamma w and b' = gamma b + beta."""
    norm, folded = nn.BatchNorm2d(4).double(), nn.BatchNorm2d(4).double()
    gamma, beta = GAMMA[:1], BETA[:1]
    for m in (norm, folded):
        m.train(training)
        m.running_mean, m.running_var = BETA[1].clone(), GAMMA[1].exp()
    with torch.no_grad():
        norm.weight.copy_(BETA[0])
        norm.bias.copy_(GAMMA[1])
        folded.weight.copy_(gamma[0] * norm.weight)
        folded.bias.copy_(gamma[0] * norm.bias + beta[0])
    h = H[1]
    conditioned = FiLM(4)(norm(h).unsqueeze(0), {"gamma": gamma, "beta": beta}).squeeze(0)
    torch.testing.assert_close(conditioned, folded(h))
    orbit = gamma[0].view(-1, 1, 1) * (norm(h) - norm.bias.view(-1, 1, 1))
    other = orbit + (norm.bias + beta[0]).view(-1, 1, 1)
    assert not torch.allclose(conditioned, other), "w gamma, b + beta is another function"
