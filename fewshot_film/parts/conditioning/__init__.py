"""The conditioning mechanisms, one a file, behind one signature."""

from fewshot_film.parts.conditioning.base import Conditioning, SiteParams, TaskParams
from fewshot_film.parts.conditioning.bias import Bias
from fewshot_film.parts.conditioning.film import FiLM
from fewshot_film.parts.conditioning.gate import Gate
from fewshot_film.parts.conditioning.none import Unconditioned
from fewshot_film.parts.conditioning.scale import Scale

__all__ = [
    "Bias",
    "Conditioning",
    "FiLM",
    "Gate",
    "Scale",
    "SiteParams",
    "TaskParams",
    "Unconditioned",
]
