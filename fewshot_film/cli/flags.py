"""The flags of a Config: its fields, with the names of a family where one is chosen from it."""

from __future__ import annotations

import re
from dataclasses import asdict, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import FAMILIES, Config, hints, suited
from fewshot_film.parts.adaptation import ADAPTERS


def _flag(name: str, hint: Any) -> Any:
    """A field's annotation; a choice shows the names that there are."""
    family = FAMILIES.get(name)
    if family is None:
        return hint
    return Annotated[str, tyro.conf.arg(metavar="|".join(family.names))]


Flags = make_dataclass(
    "Flags",
    [(f.name, _flag(f.name, hints()[f.name]), field(default=f.default)) for f in fields(Config)],
    bases=(Config,),
    frozen=True,
    namespace={"__post_init__": lambda _: None},  # what was typed is judged as a whole, by Config
)
"""A Config as it is typed, before anything is refused."""


def flags_of(config: Config) -> Any:
    """The flags that give this Config."""
    return Flags(**asdict(config))


def config_of(flags: Config, resumed: Config | None = None) -> Config:
    """What was typed -> the Config: of the run that is resumed, or of the data set that it names.

    `flags` are over the defaults of one or the other; what differs from those was chosen.
    """
    typed = asdict(flags)
    if resumed:
        return suited(resumed, **typed)
    return default_config(typed.pop("dataset"), typed.pop("data"), **typed)


def label(flags: Config) -> str:
    """What tells runs on one data set apart: the conditioning that is learned, or the adapter."""
    if flags.classifies:
        return "none"
    learned = ADAPTERS.read(flags.adapter).name == "learned"
    return flags.conditioning if learned else flags.adapter


def default_out(flags: Config) -> Path:
    """runs/<data set>-<label>-<seed>."""
    name = Path(flags.data).name if flags.data else flags.dataset
    return Path("runs") / re.sub(r"[^\w.-]+", "-", f"{name}-{label(flags)}-{flags.seed}")
