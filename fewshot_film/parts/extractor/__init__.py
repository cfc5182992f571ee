"""Feature extractors: networks with named sites."""

from fewshot_film.base.family import Family
from fewshot_film.parts.extractor.base import Extractor, Site
from fewshot_film.parts.extractor.conv4 import Conv4
from fewshot_film.parts.extractor.dropblock import DropBlock
from fewshot_film.parts.extractor.resnet12 import (
    ResNet12,
    flattened,
    global_average,
    tadam_resnet12,
    wide_resnet12,
)

EXTRACTORS: Family[Extractor] = Family(
    "extractor",
    ("conditioning", "normalization", "channels", "size"),
    conv4=Conv4,
    resnet12=tadam_resnet12,
    wide_resnet12=wide_resnet12,
)

__all__ = [
    "EXTRACTORS",
    "Conv4",
    "DropBlock",
    "Extractor",
    "ResNet12",
    "Site",
    "flattened",
    "global_average",
    "tadam_resnet12",
    "wide_resnet12",
]
