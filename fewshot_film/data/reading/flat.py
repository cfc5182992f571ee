"""Pictures as they are stored -> eight bits a channel and nothing transparent."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageFile

GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
DEPTHS = (2, 256, 1024, 4096, 16384, 65536)
"""What all values lie below: shares of one, then numbers of 8, 10, 12, 14 and 16 bits."""
BLACK = 16


class Unfit(Exception):
    """A sound picture that would come out wrong: what is so of it, and the remedy."""


def has_deep_colour(image: ImageFile.ImageFile) -> bool:
    """Whether loading will drop the lower half of 16 bits a colour; false once it is loaded."""
    return image.mode not in DEEP_MODES and any(";16" in str(tile[3]) for tile in image.tile)


def check_deep_colour(image: Image.Image) -> None:
    """Refuses 16 bits a colour of which 12 are used at most: loading has made that black."""
    if np.asarray(image.convert("RGB")).max() < BLACK:
        raise Unfit(
            "none of its colours of 16 bits is above 4095, which is black",
            "save it with 8 bits a colour",
        )


def flat(image: Image.Image) -> tuple[int, Sequence[Image.Image]]:
    """image -> the place in DEPTHS of what it holds, and one reading for each depth from there on.

    Only a picture of more than eight bits has several: which is right depends on the others.
    """
    if image.mode in DEEP_MODES:
        values = np.asarray(image, dtype=np.float32)
        depth = _depth(values)
        return depth, [_scaled(values, d) for d in range(depth, len(DEPTHS))]
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        return 0, [_on_white(image.convert("RGBA"))]
    return 0, [image]


def _depth(values: Float32[np.ndarray, "height width"]) -> int:
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high < DEPTHS[-1]:
        raise Unfit(
            f"its values go from {low:g} to {high:g}, read are 0 to {DEPTHS[-1] - 1}",
            "scale them to 0 to 255 and save it with 8 bits",
        )
    return bisect_right(DEPTHS, high)


def _scaled(values: Float32[np.ndarray, "height width"], depth: int) -> Image.Image:
    """Bytes; as in `convert` and a shift of bits, fractions of a byte are dropped."""
    scaled = values / (DEPTHS[depth] // 256) if depth else (255 * values).round()
    pixels: UInt8[np.ndarray, "height width"] = scaled.clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def _on_white(image: Image.Image) -> Image.Image:
    whole = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    clearest, densest = image.getchannel("A").getextrema()
    if clearest != 255 and densest != 0 and whole.convert("L").getextrema() == (255, 255):
        raise Unfit(
            "it is white on a transparent ground, which becomes white",
            "give it a ground of another colour",
        )
    return whole
