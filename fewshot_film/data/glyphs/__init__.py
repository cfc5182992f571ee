"""Glyphs: the data set that ships with the package, and the ways of drawing and deforming it."""

from fewshot_film.data.glyphs.load import SOURCE as SOURCE
from fewshot_film.data.glyphs.split import UNSEEN_FAMILIES as UNSEEN_FAMILIES
