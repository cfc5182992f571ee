"""Folders that hold one folder of pictures for each class of a known list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.picture import read_pictures
from fewshot_film.data.reading.picture_files import pictures_in
from fewshot_film.errors import UsageError

Files = Mapping[str, Sequence[Path]]
"""class -> its picture files."""


def class_files(folder: Path, classes: Sequence[str], layout: str) -> Files:
    """<folder>/<class>/<picture> -> the files of each class, by name.

    The error names what is missing, and `layout` as the one that is expected below the data root.
    """
    return {name: _pictures(folder / name, layout) for name in classes}


def decoded(files: Files, domain: str, size: int) -> ImageSet:
    """The files as colour images of one domain, class by class."""
    labels = [label for label, paths in enumerate(files.values()) for _ in paths]
    paths = [path for paths in files.values() for path in paths]
    return ImageSet(
        images=read_pictures(paths, size, 3, domain).images,
        labels=torch.tensor(labels),
        names=tuple(files),
        domains=torch.zeros(len(paths), dtype=torch.int64),
        domain_names=(domain,),
    )


def _pictures(folder: Path, layout: str) -> tuple[Path, ...]:
    pictures = pictures_in(folder) if folder.is_dir() else ()
    if not pictures:
        raise UsageError(
            f"{'no picture lies in' if folder.is_dir() else 'there is no folder'} {folder}: have "
            f"the data as {layout} under the data root, which `data_root` or FEWSHOT_FILM_DATA "
            "names"
        )
    return pictures
