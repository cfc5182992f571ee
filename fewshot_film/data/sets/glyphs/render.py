"""(font, character) -> 28 x 28 grey image, bright ink on black."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

SIZE = 28
BOX = 20  # the ink is fitted into this square, which leaves room for a task to deform it
STEP = 17  # 16 grey levels, which look the same and take half the space
UNASSIGNED = "\U000effff"  # never a character, so a font draws its missing-glyph box

Glyph = UInt8[np.ndarray, "28 28"]


def draw(font: ImageFont.FreeTypeFont, character: str) -> Glyph | None:
    """The ink's bounding box, aspect kept, fitted into 20 x 20 and centred; None without ink."""
    left, top, right, bottom = font.getbbox(character)
    width, height = int(right - left) + 4, int(bottom - top) + 4
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), character, fill=255, font=font)
    box = canvas.getbbox()
    return None if box is None else _centred(canvas.crop(box))


def missing(font: ImageFont.FreeTypeFont) -> Glyph | None:
    """What the font draws for a character that it lacks."""
    return draw(font, UNASSIGNED)


def _centred(ink: Image.Image) -> Glyph:
    scale = BOX / max(ink.size)
    width, height = (max(1, round(side * scale)) for side in ink.size)
    small = ink.resize((width, height), Image.Resampling.BOX)
    image = np.zeros((SIZE, SIZE), dtype=np.uint8)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    image[top : top + height, left : left + width] = np.rint(np.asarray(small) / STEP) * STEP
    return image
