"""Modules that cannot be conditioned, and the sentence that says why."""

from collections.abc import Callable

import making
import pytest
import torch
from laws import networks
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_film.errors import UsageError
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import (
    Conv4,
)

IMAGES = making.pictures(2, 3)


def sequence(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), *modules)


class Hiding(nn.BatchNorm2d):
    """An activation in a norm's code, where it cannot be taken out."""

    def __init__(self, act: Callable[[Tensor], Tensor], affine: bool = True) -> None:
        super().__init__(4, affine=affine)
        self.by = act

    def forward(self, x: Tensor) -> Tensor:
        return self.by(super().forward(x))


@pytest.mark.parametrize("act", [F.relu, F.silu, F.leaky_relu, F.gelu, torch.tanh, F.relu6])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_that_hides_an_activation(act: Callable[[Tensor], Tensor], affine: bool) -> None:
    """Whatever its weights are: at first the last of a block are zero in many networks."""
    norm = Hiding(act, affine)
    message = (
        r"the norm '1', a Hiding, does more after its weight and bias.*leave it out by `sites`"
    )
    for zero in (False, True):
        if zero and affine:
            nn.init.zeros_(norm.weight)
        with pytest.raises(UsageError, match=message):
            networks.conditioned(sequence(norm))
        assert norm.weight is None or bool((norm.weight == (0 if zero else 1)).all())
    assert networks.conditioned(sequence(norm, nn.BatchNorm2d(4)), "^2$").crossings == {"2": "2"}


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.shared, self.norm = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.shared(self.conv1(x))
        out: Tensor = self.norm(self.shared(self.conv2(h)))
        return out.mean((2, 3))


def test_a_norm_that_is_passed_twice() -> None:
    """It is refused as a site, and stays what it is where it is left out."""
    module = Shared().eval()
    message = "the norm 'shared' was given 3 and 3 rows for 3 images; a site is passed once, with"
    with pytest.raises(UsageError, match=message):
        networks.conditioned(module)
    torch.testing.assert_close(networks.conditioned(module, "^norm$")(IMAGES)[0], module(IMAGES[0]))


class Rows(nn.Module):
    """Its norm sees patches as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 8, 8), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv(x).flatten(2).transpose(1, 2)
        return self.norm(h.flatten(0, 1)).unflatten(0, h.shape[:2]).mean(1)


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(input=self.conv(x))
        return h.mean((2, 3))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = sequence(nn.BatchNorm2d(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), x


class Elsewhere(nn.Module):
    """It calls its norm by a name that is no module's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.held = [self.norm]

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.held[0](self.conv(x))
        return h.mean((2, 3))


class Collision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a_b, self.a = nn.BatchNorm2d(1), nn.ModuleDict({"b": nn.BatchNorm2d(1)})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.a["b"](self.a_b(x))
        return out.mean((2, 3))


def ends(module: nn.Module) -> nn.Module:
    return sequence(nn.BatchNorm2d(4), module)


REFUSED = [
    (Rows, "the norm 'norm' was given 12 rows for 3 images; a site is passed once, with a row for"),
    (Keyword, "the norm 'norm' was given no rows for 3 images; .* leave it out by `sites`"),
    (Pair, "Pair does not give one tensor with a row of features for each image; wrap it in a mod"),
    (lambda: ends(nn.Flatten(0)), "does not give one tensor with a row of features for each image"),
    (
        lambda: ends(nn.Linear(3, 4)),
        r"does not take images of shape \(1, 16, 16\) \(.*shape.*\); sa",
    ),
    (
        lambda: nn.Conv2d(3, 4, 3),
        r"Conv2d does not take images of shape \(1, 16, 16\) \(.*\); say by",
    ),
    (
        lambda: sequence(nn.ReLU()),
        "`sites` is 'all', and the network holds no norm, where sites st",
    ),
    (
        lambda: nn.BatchNorm2d(1),
        "`sites` is 'all', and the network holds no norm, where sites stan",
    ),
    (
        lambda: sequence(nn.BatchNorm2d(4, track_running_stats=False)),
        "Sequential gives an image other features beside other images, .*; let its batch norms ke",
    ),
    (
        lambda: sequence(nn.LayerNorm((14, 14))),
        "the norm '1', a LayerNorm, has no axis of channels that its weight acts on one by one; l",
    ),
    (Elsewhere, "Elsewhere does not call its norm 'norm' as the module that it holds by this name"),
    (Collision, "the sites at the norms 'a_b' and 'a.b' would have one name, a_b; rename a module"),
    (lambda: Conv4(FiLM), "Conv4 does not take images of shape"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_a_module_that_cannot_be_conditioned(module: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        networks.conditioned(module())
    assert "\n" not in str(raised.value)


def test_a_network_without_norms_may_be_left_without_sites() -> None:
    module = sequence(nn.ReLU())
    net = networks.conditioned(module, "none")
    assert not net.sites()
    torch.testing.assert_close(net(IMAGES)[0], module(IMAGES[0]).mean((2, 3)))
