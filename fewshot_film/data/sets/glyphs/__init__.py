"""Glyphs: the data set that ships with the package, and the ways of drawing and deforming it."""

from fewshot_film.data.sets.glyphs.load import SOURCE as SOURCE
from fewshot_film.data.sets.glyphs.split import UNSEEN_FAMILIES as UNSEEN_FAMILIES
