"""Which norms become sites, and which maps give the features."""

import making
import pytest
from laws import networks
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.choosing import chosen_sites, chosen_taps
from fewshot_film.parts.extractor.probing import probed

NORMS = ["stem.norm", "blocks.0.expand.norm", "blocks.0.project.norm", "head.norm"]


@pytest.mark.parametrize(
    ("sites", "chosen"),
    [
        ("all", NORMS),
        ("none", []),
        ("early", NORMS[:2]),
        ("late", NORMS[2:]),
        ("last", NORMS[3:]),
        ("expand", NORMS[1:2]),
        ("^(stem|head)", [NORMS[0], NORMS[3]]),
        (r"blocks\.\d", NORMS[1:3]),
        ("", NORMS),
    ],
)
def test_words_and_expressions(sites: str, chosen: list[str]) -> None:
    """In the order of the data flow; a third is rounded up."""
    assert chosen_sites(NORMS, sites) == chosen


@pytest.mark.parametrize("count", range(1, 8))
def test_early_and_late_are_a_third(count: int) -> None:
    norms = [f"norm{i}" for i in range(count)]
    early, late = (chosen_sites(norms, word) for word in ("early", "late"))
    assert len(early) == len(late) == -(-count // 3)
    assert (early[0], late[-1]) == (norms[0], norms[-1])


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (
            "blocks.0.expnd",
            r"^`sites` 'blocks.0.expnd' matches none of 4 names; the nearest are bl",
        ),
        ("ALL", r"^`sites` 'ALL' matches none of 4 names; the nearest are .*norm, .*norm, .*norm$"),
        ("norm(", r"^`sites` 'norm\(' is no regular expression: .*position 4$"),
    ],
)
def test_an_expression_that_matches_none(sites: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen_sites(NORMS, sites)


def test_a_network_without_norms() -> None:
    assert chosen_sites([], "none") == []
    for sites in ("all", "late", "norm"):
        with pytest.raises(
            UsageError, match=f"`sites` is '{sites}', and the network holds no norm"
        ):
            chosen_sites([], sites)


def taps(module: nn.Module, features: str, channels: int = 1) -> list[str]:
    images = making.pictures(3, channels=channels)
    return chosen_taps(module, probed(module, images), features)


def test_features_are_the_last_the_stages_or_named() -> None:
    module = networks.module("batch-norms")
    assert taps(module, "last") == [""]
    assert taps(module, "stages") == ["layer1", ""]
    assert taps(module, r"^layer\d$") == ["layer1", "layer2"]
    assert taps(module, "bn2") == ["layer1.0.bn2", "layer2.0.bn2"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            "layr1",
            "^`features` 'layr1' matches none of .* names; the nearest are layer1, layer1.0, l",
        ),
        ("[", r"^`features` '\[' is no regular expression"),
    ],
)
def test_features_that_match_none(features: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        taps(networks.module("batch-norms"), features)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        # what a block's first half or shortcut makes smaller is on the way to the block's own map
        ("batch-norms", ["layer1", ""]),
        # one resolution alone, whose last map is what the output averages
        ("norms-with-acts", [""]),
        # the norm that opens a step down is the last before it
        ("permuting-norms", ["downsample.0", "block2", ""]),
        # tokens lie in no plane
        ("token-norms", ["patch_embed", ""]),
    ],
)
def test_stages(name: str, stages: list[str]) -> None:
    assert taps(networks.module(name), "stages") == stages


class Pooling(nn.Module):
    """Stages that are plain sequences, each ending in what makes the map smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.second = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.second(self.first(x)))
        return out


def test_the_last_map_of_every_resolution() -> None:
    """The step before a sequence makes it smaller, too; the output is not named twice."""
    assert taps(Pooling(), "stages") == ["first.1", "second.1", ""]


class Reused(nn.Module):
    """One activation for all, as in many a network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.relu, self.pool = nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveMaxPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu(self.norm(self.conv1(x)))
        pooled: Tensor = self.pool(self.relu(self.conv2(h)))
        return pooled.flatten(1)


def test_a_module_that_is_called_again_stands_where_it_was_last() -> None:
    assert taps(Reused(), "stages") == ["relu", ""]
    assert taps(Reused(), "relu|norm") == ["norm", "relu"]


def test_a_network_s_own_average_of_a_map_is_not_repeated() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1)).eval()
    assert taps(module, "stages") == [""]


class PoolingApart(nn.Module):
    """As torchvision's MobileNets: the average is a module's, and more follows."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.avgpool, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return out


def test_a_map_and_its_average_are_one_stage() -> None:
    assert taps(PoolingApart(), "stages") == ["features", ""]


def test_what_a_norm_s_module_holds_gives_no_features() -> None:
    """A site takes it apart; the norm's module itself does."""
    module = networks.module("norms-with-acts")
    with pytest.raises(UsageError, match="`features` 'act' matches none"):
        taps(module, "act")
    assert taps(module, "^bn") == ["bn1", "bn2"]
