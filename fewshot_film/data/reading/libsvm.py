"""The text format of LIBSVM: a line for each example, `label 1:value 2:value ...`.

Chang and Lin, LIBSVM: a library for support vector machines, 2011.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from fewshot_film.data.reading.packed import content
from fewshot_film.errors import UsageError


def read_libsvm(
    path: Path, features: int
) -> tuple[Int64[np.ndarray, " example"], Float64[np.ndarray, "example feature"]]:
    """path -> whole labels, and the values of lines that list every feature in order."""
    table = _numbers(path)
    labels, indexes, values = table[:, 0], table[:, 1::2], table[:, 2::2]
    if table.shape[1] != 1 + 2 * features or (indexes != np.arange(1, features + 1)).any():
        raise _wrong(path, f"a line does not list the features 1 to {features}")
    if (labels != labels.round()).any() or not np.isfinite(table).all():
        raise _wrong(path, "a label is no whole number, or a value none at all")
    return labels.astype(np.int64), values


def _numbers(path: Path) -> Float64[np.ndarray, "example column"]:
    text = content(path).replace(b":", b" ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy's, of an empty file
            return np.loadtxt(io.BytesIO(text), ndmin=2)
    except (ValueError, UserWarning) as error:
        raise _wrong(path, str(error)) from error


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} is not the expected libsvm file ({what}): delete it to have it downloaded again"
    )
