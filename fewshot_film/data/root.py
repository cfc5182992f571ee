"""Where data lie on this machine."""

import os
import tempfile
from pathlib import Path

ENVIRONMENT_VARIABLE = "FEWSHOT_FILM_DATA"


def data_root(given: Path | None = None) -> Path:
    """`given`, else $FEWSHOT_FILM_DATA, else the user's cache folder."""
    if given is not None:
        return given.expanduser()
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(named).expanduser() if named else user_cache()


def user_cache() -> Path:
    """$XDG_CACHE_HOME/fewshot_film, ~/.cache/fewshot_film, or without a home a temporary folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "fewshot_film"
    except RuntimeError:  # an unknown user without HOME, as in some containers
        return Path(tempfile.gettempdir()) / "fewshot_film"
