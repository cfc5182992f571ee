"""Generators: task embedding -> the parameters of every site."""

from fewshot_film.base.family import Family
from fewshot_film.parts.generator.base import Generator
from fewshot_film.parts.generator.per_site import PerSiteGenerator
from fewshot_film.parts.generator.shared import SharedGenerator

GENERATORS: Family[Generator] = Family(
    "generator",
    ("embedding_dim", "identity"),
    shared=SharedGenerator,
    per_site=PerSiteGenerator,
)

__all__ = ["GENERATORS", "Generator", "PerSiteGenerator", "SharedGenerator"]
