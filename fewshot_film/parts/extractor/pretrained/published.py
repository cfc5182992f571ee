"""What the layers of an EfficientNet-Lite are called where its weights were published."""

from __future__ import annotations

CLASSIFIER = "_fc."

OUTER = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
}
INNER = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def own_name(published: str) -> str:
    """_blocks.3._bn1.weight -> blocks.3.depthwise.norm.weight, and so for every layer."""
    *block, layer, value = published.split(".")
    names = INNER if block else OUTER
    return ".".join((*(part.lstrip("_") for part in block), names[layer], value))
