"""timm's networks by name (Wightman 2019), with the weights that lie in Hugging Face's cache."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

from safetensors import SafetensorError

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.library import library
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing


def timm_network(name: str, *, trained: bool = True) -> Pretrained:
    """resnet18 or resnet18.a1_in1k -> the network, with its weights or with random ones.

    Nothing is downloaded: weights that are not in the cache are asked for by an error.
    """
    timm = library("timm")
    config = _config(timm, name)
    if not trained:
        module = timm.create_model(name, num_classes=0)
        return Pretrained(module.eval(), _preprocessing(config), "none", "random weights")
    module = _filled(timm, name, _cached(name, config))
    licence = config.license or "not stated by timm"
    origin = f"{config.hf_hub_id}, by timm {timm.__version__}"
    return Pretrained(module.eval(), _preprocessing(config), licence, origin)


def _filled(timm: Any, name: str, file: str) -> Any:
    """The network with the weights of a safetensors file, every one of them.

    The classifier goes last: timm lets weights be missing if it goes first.
    """
    read_file = {"file": file, "custom_load": False}
    try:
        module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=read_file)
    except (SafetensorError, RuntimeError) as error:
        reason = shorten(str(error), 200, placeholder=" ...")
        raise UsageError(
            f"{file} does not hold the weights of timm's {name!r} ({reason}); delete it and "
            f"{_fetch(name)}"
        ) from error
    module.reset_classifier(0)
    return module


def _config(timm: Any, name: str) -> Any:
    """What timm knows of the network and of its weights."""
    try:
        return timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:
        raise UsageError(
            f"timm has no network {name!r} ({error}); timm.list_models(pretrained=True) names all"
        ) from error


def _preprocessing(config: Any) -> Preprocessing:
    """timm's names for it."""
    return Preprocessing(
        mean=tuple(config.mean),
        std=tuple(config.std),
        size=config.input_size[-1],
        fixed=config.fixed_input_size,
        crop=config.crop_pct,
        interpolation=config.interpolation,
    )


def _cached(name: str, config: Any) -> str:
    """The file of the weights in Hugging Face's cache."""
    if not config.hf_hub_id:
        raise UsageError(f"timm's {name!r} has no weights at Hugging Face; take random ones")
    hub = library("huggingface_hub")
    found = hub.try_to_load_from_cache(config.hf_hub_id, "model.safetensors")
    if not isinstance(found, str):
        raise UsageError(
            f"the weights of timm's {name!r} are not in Hugging Face's cache; {_fetch(name)}, or "
            "take random ones"
        )
    return found


def _fetch(name: str) -> str:
    return f"fetch them: python -c \"import timm; timm.create_model('{name}', pretrained=True)\""
