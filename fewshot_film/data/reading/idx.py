"""The idx format of MNIST: a magic number, the sizes of the dimensions, then the bytes.

LeCun, The MNIST database of handwritten digits, 1998.
"""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fewshot_film.data.reading.packed import content
from fewshot_film.errors import UsageError

UNSIGNED_BYTES = 8


def read_idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """path -> its array of unsigned bytes, of so many dimensions."""
    raw, start = content(path), 4 + 4 * dimensions
    if raw[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]) or len(raw) < start:
        raise _wrong(path, f"is no idx file of {dimensions} dimensions of bytes")
    shape = np.frombuffer(raw, ">u4", dimensions, 4).tolist()
    found, expected = len(raw) - start, math.prod(shape)
    if found != expected:
        raise _wrong(path, f"holds {found} values, its head announces {expected}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy()


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(f"{path} {what}: delete it to have it downloaded again")
