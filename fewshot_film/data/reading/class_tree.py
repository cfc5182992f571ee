"""A person's folder of class folders, divided into splits or not, listed once."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fewshot_film.data.reading.listing import Entry, listed, refuse_broken
from fewshot_film.data.reading.picture_files import is_picture_name, pictures_among, refuse_unread
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError


@dataclass(frozen=True)
class ClassFolder:
    """One class: its name, its split if the folders say, and its picture files."""

    name: str
    split: str | None
    pictures: tuple[Entry, ...]


def class_tree(path: Path) -> list[ClassFolder]:
    """<path>/<class>/<picture> or <path>/{train,val,test}/<class>/<picture> -> classes by name."""
    if not path.is_dir():
        raise UsageError(f"there is no folder {path}: give one that holds a folder for each class")
    folders = _subfolders(path)
    split_folders = {f.name for f in folders} <= set(SPLITS)
    parts = [(f.name, _subfolders(f)) for f in folders] if split_folders else [(None, folders)]
    classes = [_class_folder(f, split) for split, group in parts for f in group]
    names = Counter(c.name for c in classes)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UsageError(
            f"the class {twice[0]!r} lies in several splits of {path}: few-shot splits share no "
            "class, so put it in one, or put all classes directly into the folder"
        )
    return sorted(classes, key=lambda c: c.name)


def _subfolders(path: Path) -> list[Path]:
    entries = _shown(path)
    if loose := [e.path for e in entries if e.is_file and is_picture_name(e.path)]:
        raise UsageError(f"{loose[0]} lies outside a class: put each class in a folder of its own")
    for entry in entries:
        refuse_broken(entry)
    folders = [entry.path for entry in entries if entry.is_folder]
    if not folders:
        raise UsageError(f"{path} is empty: put a folder of pictures for each class into it")
    return folders


def _class_folder(path: Path, split: str | None) -> ClassFolder:
    _check_name(path)
    entries = _shown(path)
    refuse_unread(entries)
    pictures = pictures_among(entries)
    folders = [entry.path for entry in entries if entry.is_folder]
    if not pictures:
        raise _no_picture(path, entries, folders)
    if folders:
        raise UsageError(
            f"the class folder {path} holds pictures and the folder {folders[0].name}: put its "
            "pictures beside the others, or remove it"
        )
    return ClassFolder(path.name, split, pictures)


def _shown(path: Path) -> list[Entry]:
    return [entry for entry in listed(path) if not entry.is_hidden]


def _check_name(path: Path) -> None:
    """Names of classes are hashed, stored and printed, so they must be text."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the name of the class folder {os.fsencode(path.name)!r} in {path.parent} is not "
            "UTF-8: rename it"
        ) from error


def _no_picture(path: Path, entries: Sequence[Entry], folders: Sequence[Path]) -> UsageError:
    if folders:
        return UsageError(
            f"{path} holds folders, not pictures: if it is a split, the splits must be called "
            "train, val and test, with nothing beside them"
        )
    if not entries:
        return UsageError(f"the class folder {path} holds no picture: add some or remove it")
    return UsageError(
        f"the class folder {path} holds no picture: none of its {len(entries)} files, such as "
        f"{entries[0].path.name}, ends as one (.jpg, .png, ...): rename them if they are pictures, "
        "add some, or remove the folder"
    )
