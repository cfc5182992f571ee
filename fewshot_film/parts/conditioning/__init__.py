"""The conditioning mechanisms, one a file, behind one signature."""

from fewshot_film.base.family import Family
from fewshot_film.parts.conditioning.base import (
    Affine,
    Conditioning,
    SiteParams,
    TaskParams,
    channel_affine,
    per_channel,
)
from fewshot_film.parts.conditioning.bias import Bias
from fewshot_film.parts.conditioning.film import FiLM
from fewshot_film.parts.conditioning.gate import Gate
from fewshot_film.parts.conditioning.none import Unconditioned
from fewshot_film.parts.conditioning.scale import Scale

CONDITIONINGS: Family[Conditioning] = Family(
    "conditioning",
    ("channels",),
    film=FiLM,
    bias=Bias,
    scale=Scale,
    gate=Gate,
    none=Unconditioned,
)

__all__ = [
    "CONDITIONINGS",
    "Affine",
    "Bias",
    "Conditioning",
    "FiLM",
    "Gate",
    "Scale",
    "SiteParams",
    "TaskParams",
    "Unconditioned",
    "channel_affine",
    "per_channel",
]
