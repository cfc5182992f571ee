from pathlib import Path

import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.own_file import from_file
from fewshot_film.parts.extractor.pretrained.zoo import pretrained_network


def test_lites_are_known_by_their_names() -> None:
    assert pretrained_network("lite1", trained=False).preprocessing.size == 240


def test_a_file_is_known_by_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\n"
        "from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing\n"
        "def net(): return nn.Flatten(), Preprocessing(mean=(0.0,), std=(1.0,), size=4)\n"
    )
    assert pretrained_network(f"{path}:net").preprocessing == from_file(path, "net").preprocessing


@pytest.mark.parametrize("name", ["lite9", "timn:resnet18", "", "mine.py"])
def test_an_unknown_name_is_answered_with_what_there_is(name: str) -> None:
    with pytest.raises(UsageError, match=f"no network '{name}'; name lite0, .*timm:NAME"):
        pretrained_network(name)


def real(name: str) -> Pretrained:
    """With random weights; a library that does not import says why."""
    try:
        return pretrained_network(name, trained=False)
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("timm:resnet18", 512),
        ("timm:efficientnet_lite0", 1280),
        ("timm:convnext_atto", 320),
        ("timm:vit_tiny_patch16_224", 192),
        ("torchvision:resnet18", 512),
        ("torchvision:mobilenet_v3_small", 1024),
    ],
)
def test_networks_of_the_libraries_give_features(name: str, features: int) -> None:
    net = real(name)
    size = net.preprocessing.size
    with torch.no_grad():
        out = net.module(net.preprocessing(torch.zeros(1, 3, size, size)))
    assert out.shape == (1, features)
    assert net.preprocessing.fixed == ("vit" in name)
