"""Pickles of plain values and arrays, read without running what they may ask to be run."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from fewshot_film.errors import UsageError


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in protocol 2; the real `_codecs.encode` takes any codec."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode("latin1")


# Taken from arrays themselves, as these functions have moved between releases of numpy.
_RECONSTRUCT = np.zeros(1).__reduce__()[0]
_FROM_BUFFER = np.zeros(1).__reduce_ex__(5)[0]

ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("_codecs", "encode"): _latin1,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        return ALLOWED[module, name]


def read(path: Path) -> object:
    """path -> the pickled value; strings written by Python 2 come back as bytes."""
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except Exception as error:  # a damaged pickle can fail in any way
        raise UsageError(
            f"cannot read the pickle {path} ({error}): get it again from its authors"
        ) from error
