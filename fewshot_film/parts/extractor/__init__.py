"""Feature extractors: networks with named sites."""

from fewshot_film.base.family import Family
from fewshot_film.parts.extractor.base import Extractor, Site
from fewshot_film.parts.extractor.conditioned import ConditionedNetwork, condition
from fewshot_film.parts.extractor.conv4 import Conv4
from fewshot_film.parts.extractor.dropblock import DropBlock
from fewshot_film.parts.extractor.pretrained.own_file import trust
from fewshot_film.parts.extractor.pretrained.parts import (
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
    file_extractor,
    timm_extractor,
    torchvision_extractor,
)
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing
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
    efficientnet_lite0=efficientnet_lite0,
    efficientnet_lite1=efficientnet_lite1,
    efficientnet_lite2=efficientnet_lite2,
    timm=timm_extractor,
    torchvision=torchvision_extractor,
    file=file_extractor,
)

__all__ = [
    "EXTRACTORS",
    "ConditionedNetwork",
    "Conv4",
    "DropBlock",
    "Extractor",
    "Preprocessing",
    "ResNet12",
    "Site",
    "condition",
    "flattened",
    "global_average",
    "tadam_resnet12",
    "trust",
    "wide_resnet12",
]
