"""torchvision's networks by name, with the weights that lie in torch's cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.library import library
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing
from fewshot_film.parts.extractor.pretrained.weights import check_sha256, read_state_dict


def torchvision_network(name: str, *, trained: bool = True) -> Pretrained:
    """resnet18 -> the network, with torchvision's default weights for it or with random ones.

    Nothing is downloaded: weights that are not in the cache are asked for by an error.
    """
    models = library("torchvision").models
    weights = _weights(models, name)
    if trained:
        _check_cached(name, weights)
    module = without_classifier(models.get_model(name, weights=weights if trained else None))
    preprocessing = _preprocessing(weights)
    if not trained:
        return Pretrained(module.eval(), preprocessing, "none", "random weights")
    licence = weights.meta.get("license", "not stated by torchvision")
    return Pretrained(module.eval(), preprocessing, licence, f"torchvision's {weights}")


def without_classifier(network: nn.Module) -> nn.Module:
    """The network, with its last linear layer made the identity."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UsageError(
            f"{type(network).__name__} does not end in a linear layer; choose a network that does"
        )
    outer, _, last = linear[-1].rpartition(".")
    setattr(network.get_submodule(outer), last, nn.Identity())
    return network


def _weights(models: Any, name: str) -> Any:
    """The best weights that torchvision has for the network."""
    if name not in models.list_models(module=models):
        raise UsageError(
            f"torchvision has no network {name!r} that classifies; "
            "torchvision.models.list_models(module=torchvision.models) names all"
        )
    return models.get_model_weights(name).DEFAULT


def _check_cached(name: str, weights: Any) -> None:
    """The file is in torch's cache, is what its name says, and holds tensors alone.

    torchvision itself would unpickle the file, whatever it asks to be run, and download it if it
    is not there.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    call = f"import torchvision; torchvision.models.get_model('{name}', weights='DEFAULT')"
    fetch = f'python -c "{call}"'
    if not path.is_file():
        raise UsageError(
            f"the weights of torchvision's {name!r} are not in torch's cache; fetch them: "
            f"{fetch}, or take random ones"
        )
    check_sha256(path, path.stem.rpartition("-")[2], remedy=f"delete it and fetch them: {fetch}")
    read_state_dict(path)


def _preprocessing(weights: Any) -> Preprocessing:
    """torchvision's names for it; a network whose least size is the one of its tests is fixed."""
    how = weights.transforms()
    (size,), (resized,) = how.crop_size, how.resize_size
    return Preprocessing(
        mean=tuple(how.mean),
        std=tuple(how.std),
        size=size,
        fixed=weights.meta["min_size"] == (size, size),
        crop=size / resized,
        interpolation=how.interpolation.value,
    )
