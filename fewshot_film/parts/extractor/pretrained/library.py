"""Libraries of networks that are not asked for at installation: imported when they are named."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from fewshot_film.errors import UsageError


def library(name: str) -> Any:
    """The module of that name, or an error that says how to get one that imports."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        needs = f"{name} is" if missing == name else f"{name} needs {missing}, which is"
        raise UsageError(f"{needs} not installed: {_install(missing)}") from error
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{name} is installed but does not import beside torch {torch.__version__} ({reason}); "
            "most often torchvision was built for another torch: "
            f"{_install('torchvision', '--force-reinstall --no-deps')}"
        ) from error


def _install(package: str, options: str = "") -> str:
    """The command that leaves torch as it is.

    torch 2.x goes with torchvision 0.(x + 15) from the index that the same build of torch came
    from. PyPI's torchvision is built for CUDA: beside a CPU-only torch its compiled part finds no
    libtorch_cuda, and its import ends in "operator torchvision::nms does not exist".
    """
    if package != "torchvision":
        return f"pip install {package}"
    version, _, build = torch.__version__.partition("+")
    release = f'"torchvision==0.{int(version.split(".")[1]) + 15}.*"'
    index = f"--index-url https://download.pytorch.org/whl/{build}" if build else ""
    return " ".join(filter(None, ("pip install", options, release, index)))
