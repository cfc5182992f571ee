"""(key, pixel) -> a random number, with no state: chance that an image carries with it."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from fewshot_film.tasks.imaging.shapes import Key, PerImage, Plane

MASK = 0xFFFFFFFF


def grain(key: Key, height: int, width: int) -> Plane:
    """(key, pixel) -> uniform in [0, 1), independent from pixel to pixel and from key to key.

    Integers alone make it, so that it is the same on every device.
    """
    pixel = torch.arange(height * width, device=key.device)
    scrambled = _hashed(_hashed(key).unsqueeze(1) + pixel)
    # a float32 holds 24 bits; of 32 the largest would be rounded to 1
    return ((scrambled >> 8).float() / 2**24).view(-1, 1, height, width)


def unit(key: Key, number: int = 0) -> PerImage:
    """(key, number) -> uniform in [0, 1)."""
    return grain(key, 1, number + 1).flatten(1)[:, number]


def _hashed(x: Int64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """32 bits -> 32 bits, one to one, that look random (C. Wellons, Hash prospector, 2018).

    Both multipliers are below 2^31, so that no product leaves 63 bits.
    """
    x = x & MASK
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & MASK
    x = ((x ^ (x >> 12)) * 0x297A2D39) & MASK
    return x ^ (x >> 15)
