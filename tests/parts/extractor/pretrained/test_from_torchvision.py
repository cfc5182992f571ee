from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from fewshot_film.base.files import file_sha256
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained import from_torchvision as under_test
from fewshot_film.parts.extractor.pretrained.from_torchvision import (
    torchvision_network,
    without_classifier,
)
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing


class Weights(SimpleNamespace):
    """torchvision's Weights, with what 0.28.0 says of ResNet18_Weights.IMAGENET1K_V1."""

    def transforms(self) -> SimpleNamespace:
        return SimpleNamespace(
            crop_size=[224],
            resize_size=[256],
            mean=[0.485, 0.456, 0.406],
            std=[0.229, 0.224, 0.225],
            interpolation=SimpleNamespace(value="bilinear"),
        )

    def __str__(self) -> str:
        return "ResNet18_Weights.IMAGENET1K_V1"


def small() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(12, 4), nn.Linear(4, 10)))


class Models:
    """The part of torchvision.models that is called: a stand-in, since it need not be installed."""

    def __init__(self, weights: Weights) -> None:
        self.weights, self.cache = weights, Path()

    def list_models(self, module: object) -> list[str]:
        assert module is self
        return ["net"]

    def get_model_weights(self, name: str) -> SimpleNamespace:
        assert name == "net"
        return SimpleNamespace(DEFAULT=self.weights)

    def get_model(self, name: str, weights: Any) -> nn.Module:
        assert name == "net"
        net = small()
        if weights:
            net.load_state_dict(torch.load(self.cache / Path(weights.url).name))
        return net


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Models:
    """torchvision's, whose weights lie in torch's cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    made = Models(Weights(url="", meta={"min_size": (1, 1)}))
    made.cache = tmp_path / "checkpoints"
    made.cache.mkdir()
    torch.save(small().state_dict(), made.cache / "new")
    sha256 = file_sha256(made.cache / "new")
    made.weights.url = f"https://download.pytorch.org/models/net-{sha256[:8]}.pth"
    (made.cache / "new").rename(cached(made))
    libraries = {"torchvision": SimpleNamespace(models=made)}
    monkeypatch.setattr(under_test, "library", libraries.__getitem__)
    return made


def cached(models: Models) -> Path:
    return models.cache / Path(models.weights.url).name


def test_cached_weights_fill_the_network(models: Models) -> None:
    net = torchvision_network("net")
    weights, x = torch.load(cached(models)), torch.ones(1, 3, 2, 2)
    expected = x.flatten(1) @ weights["1.0.weight"].T + weights["1.0.bias"]
    torch.testing.assert_close(net.module(x), expected)
    assert not net.module.training
    assert net.licence == "not stated by torchvision"
    assert net.source == "torchvision's ResNet18_Weights.IMAGENET1K_V1"


def test_a_licence_that_is_stated_is_kept(models: Models) -> None:
    models.weights.meta["license"] = "https://example.org/LICENSE"
    assert torchvision_network("net").licence == "https://example.org/LICENSE"


@pytest.mark.parametrize(("smallest", "fixed"), [((1, 1), False), ((224, 224), True)])
def test_preprocessing_is_what_torchvision_says(
    models: Models, smallest: tuple[int, int], fixed: bool
) -> None:
    models.weights.meta["min_size"] = smallest
    net = torchvision_network("net", trained=False)
    assert net.preprocessing == Preprocessing(
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        size=224,
        fixed=fixed,
        crop=0.875,
        interpolation="bilinear",
    )
    assert (net.licence, net.source) == ("none", "random weights")


def test_weights_that_are_not_cached_are_asked_for(models: Models) -> None:
    cached(models).unlink()
    with pytest.raises(
        UsageError, match=r"not in torch's cache; fetch them: python -c .*, or take"
    ):
        torchvision_network("net")


def test_weights_of_another_hash_are_refused(models: Models) -> None:
    torch.save(small().state_dict(), cached(models))
    with pytest.raises(UsageError, match=r"has the SHA-256 .*: delete it and fetch them: python"):
        torchvision_network("net")


@pytest.mark.usefixtures("models")
def test_an_unknown_network_is_named() -> None:
    with pytest.raises(UsageError, match="torchvision has no network 'nope' that classifies; "):
        torchvision_network("nope")


def test_the_last_linear_layer_is_the_classifier() -> None:
    net = without_classifier(small())
    assert [type(module) for module in net.get_submodule("1").children()] == [
        nn.Linear,
        nn.Identity,
    ]


def test_a_network_that_ends_in_another_layer_is_refused() -> None:
    with pytest.raises(UsageError, match="Conv2d does not end in a linear layer; choose"):
        without_classifier(nn.Conv2d(3, 3, 1))
