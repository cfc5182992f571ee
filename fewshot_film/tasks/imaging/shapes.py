"""The shapes that everything drawn on photographs shares."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor

Images = Float[Tensor, "image 3 height width"]
"""Red, green and blue in [0, 1]."""

Plane = Float[Tensor, "image 1 height width"]
"""One number a pixel."""

Points = Float[Tensor, "image height width 2"]
"""Where each pixel looks, x to the right and y down, from -1 at one edge to 1 at the other."""

PerImage = Float[Tensor, " image"]

Key = Int64[Tensor, " image"]
"""What an image's own chance is made of: an image alone is drawn as it is among others."""
