"""A network of one's own, from a Python file that a person names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.network import Pretrained
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing

MAKE = "make"
"""What the function is called where none is named."""
_TRUSTED = set[Path]()
"""The files, resolved, that a person named in this process."""


def trust(path: Path | str) -> None:
    """From now on, in this process, configs and runs that name this file may run it as code."""
    _TRUSTED.add(Path(path).resolve())


def check_trusted(path: Path) -> None:
    """The person at work named the file, not only a config that came from elsewhere."""
    if path.resolve() not in _TRUSTED:
        raise UsageError(
            f"the file {path} holds code, and nobody has said that it may run: read it, and if you "
            f"trust it call fewshot_film.extractor.trust({str(path)!r}) first, on the command line "
            f"`trust={path}`"
        )


def split(path: str) -> tuple[Path, str]:
    """FILE.py:FUNCTION, or FILE.py alone -> the file and the name of its function."""
    file, _, name = (path, "", MAKE) if path.endswith(".py") else path.rpartition(":")
    if not file.endswith(".py"):
        raise UsageError(f"`path` is {path!r}; name a file and its function, as FILE.py:{MAKE}")
    return Path(file), name


def from_file(path: Path, name: str = MAKE) -> Pretrained:
    """FILE.py, make -> what its make() gives: (network, Preprocessing). The file is run."""
    make = getattr(_run(path), name, None)
    if not callable(make):
        raise UsageError(f"{path} defines no function {name!r}; write one, or name another")
    made = make()
    match made:
        case (nn.Module() as network, Preprocessing() as preprocessing):
            return Pretrained(network.eval(), preprocessing, "the file's own", f"{path}:{name}")
    raise UsageError(
        f"{name}() of {path} gave {type(made).__name__}; return (network, Preprocessing(mean=..., "
        "std=..., size=...)), a module without its classifier and how it wants its images"
    )


def _run(path: Path) -> ModuleType:
    """The file as a module; what it raises is the author's to see."""
    spec = spec_from_file_location(f"fewshot_film_own_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file; name one that ends in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up there
    spec.loader.exec_module(module)
    return module
