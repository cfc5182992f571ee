from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained import from_timm as under_test
from fewshot_film.parts.extractor.pretrained.from_timm import timm_network
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing


@dataclass
class Config:
    """What timm 1.0.31 says of vit_tiny_patch16_224."""

    hf_hub_id: str | None = "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    license: str | None = "apache-2.0"
    input_size: tuple[int, ...] = (3, 224, 224)
    fixed_input_size: bool = True
    interpolation: str = "bicubic"
    crop_pct: float = 0.9
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)


class Net(nn.Module):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(2, 3), nn.Linear(3, num_classes or 1)
        self.reset_classifier(num_classes)

    def reset_classifier(self, num_classes: int) -> None:
        if not num_classes:
            self.head = nn.Identity()  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out


class Timm:
    """The part of timm that is called: a stand-in, since it need not be installed."""

    __version__ = "1.0.31"

    def __init__(self) -> None:
        self.config = Config()

    def get_pretrained_cfg(self, name: str, allow_unregistered: bool) -> Config:
        if name != "net":
            raise RuntimeError(f"Model architecture ({name}) has no pretrained cfg registered.")
        assert not allow_unregistered
        return self.config

    def create_model(self, name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        assert name == "net"
        overlay = options.pop("pretrained_cfg_overlay", {})
        net = Net(**options)
        if pretrained:
            assert overlay["custom_load"] is False
            net.load_state_dict(load_file(overlay["file"]))
        return net


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Timm:
    """With weights of the network at `tmp_path`, which a cache finds as Hugging Face's does."""
    stand_in = Timm()

    def cached(repository: str, file: str) -> str | None:
        assert repository == stand_in.config.hf_hub_id
        return str(tmp_path / file) if (tmp_path / file).exists() else None

    libraries = {
        "timm": stand_in,
        "huggingface_hub": SimpleNamespace(try_to_load_from_cache=cached),
    }
    monkeypatch.setattr(under_test, "library", libraries.__getitem__)
    return stand_in


def test_cached_weights_fill_the_network(timm: Timm, tmp_path: Path) -> None:
    del timm
    weights = Net().state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    net = timm_network("net")
    x = torch.ones(1, 2)
    expected = x @ weights["body.weight"].T + weights["body.bias"]
    torch.testing.assert_close(net.module(x), expected)
    assert not net.module.training
    assert net.licence == "apache-2.0"
    assert net.source == "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k, by timm 1.0.31"


def test_preprocessing_is_what_timm_says(timm: Timm) -> None:
    del timm
    net = timm_network("net", trained=False)
    assert net.preprocessing == Preprocessing(
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        size=224,
        fixed=True,
        crop=0.9,
        interpolation="bicubic",
    )
    assert (net.licence, net.source) == ("none", "random weights")


def test_a_licence_that_timm_does_not_state_is_not_made_up(timm: Timm, tmp_path: Path) -> None:
    timm.config.license = None
    save_file(Net().state_dict(), tmp_path / "model.safetensors")
    assert timm_network("net").licence == "not stated by timm"


@pytest.mark.usefixtures("timm")
def test_weights_that_are_not_cached_are_asked_for() -> None:
    with pytest.raises(UsageError, match=r"not in .* cache; fetch them: python -c .*, or take ran"):
        timm_network("net")


def test_weights_elsewhere_are_not_looked_for(timm: Timm) -> None:
    timm.config.hf_hub_id = None
    with pytest.raises(UsageError, match="'net' has no weights at Hugging Face; take random ones"):
        timm_network("net")


@pytest.mark.parametrize("content", ["junk", "another network's"])
def test_other_weights_are_refused(timm: Timm, tmp_path: Path, content: str) -> None:
    del timm
    path = tmp_path / "model.safetensors"
    if content == "junk":
        path.write_bytes(b"junk")
    else:
        save_file(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(
        UsageError, match=r"model.safetensors does not hold .*; delete it and fetch"
    ):
        timm_network("net")


@pytest.mark.usefixtures("timm")
def test_an_unknown_network_is_named() -> None:
    with pytest.raises(UsageError, match=r"timm has no network 'nope' .*list_models"):
        timm_network("nope")
