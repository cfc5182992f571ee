"""Generators: task embedding -> the parameters of every site."""

from fewshot_film.parts.generator.base import Generator
from fewshot_film.parts.generator.per_site import PerSiteGenerator
from fewshot_film.parts.generator.shared import SharedGenerator

__all__ = ["Generator", "PerSiteGenerator", "SharedGenerator"]
