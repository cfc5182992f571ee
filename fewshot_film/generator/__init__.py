"""Generators: task embedding -> the parameters of every site."""

from fewshot_film.generator.base import Generator
from fewshot_film.generator.per_site import PerSiteGenerator
from fewshot_film.generator.shared import SharedGenerator

__all__ = ["Generator", "PerSiteGenerator", "SharedGenerator"]
