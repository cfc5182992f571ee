"""Configs as JSON, in today's format and in those of earlier versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fewshot_film.config.config import PLAIN, Config, idle_fields
from fewshot_film.errors import UsageError

FORMAT = 2
"""Counts up whenever an older version could not read what is written."""

FIRST: Mapping[str, Any] = {
    "conditioning": "film",
    "encoder": "prototype-mean",
    "generator": "shared",
    "encoder_pass": "counted",
    "extractor": "conv4",
    "normalization": "running",
    "width": 32,
    "max_pools": 4,
    "drop_side": None,
    "pooling": "published",
    "pixel_scale": 1.0,
    "similarity": "squared-euclidean",
    "metric_scale": "learned",
    "metric_scale_start": None,
    "objective": "episodes",
    "batch_images": 128,
    "attribute_weight": 2.0,
    "auxiliary": "none",
    "auxiliary_batch": 64,
    "optimizer": "adamw",
    "weight_decay": 0.0,
    "generator_decay": None,
    "multiplier_decay": 0.0,
}
"""The fields of format 1 that were put together into choices with options, at their defaults."""


def to_values(config: Config) -> dict[str, Any]:
    """Config -> what is stored of it."""
    return {"format": FORMAT, **asdict(config)}


def to_json(config: Config) -> str:
    """Config -> JSON text."""
    return json.dumps(to_values(config), indent=2) + "\n"


def from_json(text: str, origin: str) -> Config:
    """JSON text of any format -> Config, or an error that names `origin` and the field."""
    try:
        return from_values(json.loads(text))
    except (ValueError, TypeError, AttributeError, UsageError) as error:
        raise UsageError(f"{origin} is not a config this version can read: {error}") from error


def from_values(values: Mapping[str, Any]) -> Config:
    """The fields of a stored config -> Config."""
    written = dict(values)
    number = written.pop("format", 1)
    if number not in (1, FORMAT):
        raise UsageError(f"it is of format {number}, from a newer fewshot_film; update this one")
    known = PLAIN if number == FORMAT else {**PLAIN, **FIRST}
    if unknown := written.keys() - known:
        raise UsageError(f"unknown field {min(unknown)!r}")
    return Config(**(written if number == FORMAT else _from_first(written)))


def _from_first(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of format 1 -> fields of today, without those that meant nothing then."""
    old = {**FIRST, **values}
    unconditioned = old["conditioning"] == "none"
    new = {name: value for name, value in values.items() if name not in FIRST}
    new |= {
        "objective": _objective(old),
        "adapter": "none" if unconditioned else "learned",
        "conditioning": "film" if unconditioned else old["conditioning"],
        "encoder": _encoder(old),
        "generator": old["generator"],
        "extractor": _extractor(old),
        "normalization": old["normalization"],
        "head": _head(old),
        "auxiliary": _auxiliary(old),
        "optimizer": _optimizer(old, unconditioned),
    }
    idle = idle_fields(new["objective"], new["adapter"], new["extractor"])
    return new | {name: PLAIN[name] for name in idle}


def _choice(name: Any, **options: Any) -> str:
    """The text of a choice; options without a value are left out."""
    words = ",".join(f"{key}={value}" for key, value in options.items() if value is not None)
    return f"{name}:{words}" if words else str(name)


def _objective(old: Mapping[str, Any]) -> str:
    """Naming the attribute asked weighed 2 by default, where an encoder learned it."""
    if old["objective"] == "classify":
        return _choice("classify", images=old["batch_images"])
    asks = old.get("dataset", "glyphs") in ("glyphs", "glyphs-attributes") and not old.get("data")
    learns = asks and old["encoder"] == "discriminative" and old["conditioning"] != "none"
    weight = old["attribute_weight"]
    usual = not learns or weight == FIRST["attribute_weight"]
    return _choice("episodes", attribute_weight=None if usual else weight)


def _encoder(old: Mapping[str, Any]) -> str:
    prototype_mean = old["encoder"] == "prototype-mean"
    return _choice(old["encoder"], statistics=old["encoder_pass"] if prototype_mean else None)


def _extractor(old: Mapping[str, Any]) -> str:
    name = old["extractor"]
    pooling = None if name == "conv4" or old["pooling"] == "published" else old["pooling"]
    return _choice(
        name,
        width=old["width"],
        pixel_scale=old["pixel_scale"],
        pooling=pooling,
        max_pools=old["max_pools"] if name == "resnet12" else None,
        drop_side=old["drop_side"] if name == "wide-resnet12" else None,
    )


def _head(old: Mapping[str, Any]) -> str:
    learned = "yes" if old["metric_scale"] == "learned" else "no"
    return _choice(old["similarity"], scale=old["metric_scale_start"], learned=learned)


def _auxiliary(old: Mapping[str, Any]) -> str:
    images = None if old["auxiliary"] == "none" else old["auxiliary_batch"]
    return _choice(old["auxiliary"], images=images)


def _optimizer(old: Mapping[str, Any], unconditioned: bool) -> str:
    return _choice(
        old["optimizer"],
        decay=old["weight_decay"],
        generator_decay=None if unconditioned else old["generator_decay"],
        multiplier_decay=None if unconditioned else old["multiplier_decay"],
    )
