"""Factors of a photograph that a network trained to name objects learns to ignore."""

from collections.abc import Mapping

from fewshot_film.tasks.factors.base import LEVELS, SEEN, UNSEEN, Factor
from fewshot_film.tasks.factors.colour import contrast, hue
from fewshot_film.tasks.factors.geometry import position, rotation, size
from fewshot_film.tasks.factors.renderings import RENDERINGS, rendering
from fewshot_film.tasks.factors.sharpness import blur
from fewshot_film.tasks.factors.textures import TEXTURES, texture

# In the order in which they are applied: what lies over a picture does not turn with it, and blur
# does not take away the contrast that it is given.
FACTORS: Mapping[str, Factor] = {
    "rotation": rotation,
    "size": size,
    "position": position,
    "rendering": rendering,
    "hue": hue,
    "blur": blur,
    "contrast": contrast,
    "texture": texture,
}

__all__ = ["FACTORS", "LEVELS", "RENDERINGS", "SEEN", "TEXTURES", "UNSEEN", "Factor"]
