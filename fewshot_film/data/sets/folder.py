"""Your own images: a folder with one folder of pictures for each class."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import torch
from tqdm import tqdm

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.cache import cached, fingerprint
from fewshot_film.data.reading.picture import is_grey, is_picture_name, pictures_in, read_pictures
from fewshot_film.data.reading.splits import part_of
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

SHARES = {"train": 0.64, "val": 0.16, "test": 0.20}


@dataclass(frozen=True)
class ClassFolder:
    """One class: its name, its split if the folders say, and its picture files."""

    name: str
    split: str | None
    pictures: tuple[Path, ...]


def folder_source(path: Path, size: int, channels: int | None = None) -> DataSource:
    """<path>/<class>/<picture> or <path>/{train,val,test}/<class>/<picture> -> the source.

    Without split folders the classes are divided by a hash of their names, some 64, 16 and 20 %.
    The split "all" is every class. Without `channels`, pictures are grey if all files are.
    """
    if channels not in (None, 1, 3):
        raise UsageError(f"channels is {channels}: give 1 for grey or 3 for colour")
    classes = _scan(path)
    channels = channels or _channels(classes)
    name = path.resolve().name
    parts = _divide(classes)

    def load(root: Path, split: str) -> ImageSet:
        chosen = part_of(parts, split, f"the folder {path}")
        key = f"{fingerprint(path)} {size} {channels}"
        where = f"{name}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
        everything = cached(root, where, key, partial(_decode, name, classes, size, channels))
        return everything.of_classes(chosen)

    return DataSource(
        name=name,
        summary=f"the pictures in {path}",
        licence="yours",
        channels=channels,
        size=size,
        classes={split: len(chosen) for split, chosen in parts.items()},
        images={s: sum(len(classes[c].pictures) for c in part) for s, part in parts.items()},
        obtain="lies on this machine",
        load=load,
        present=lambda _root: path.is_dir(),
    )


def split_by_name(names: Sequence[str]) -> dict[str, list[str]]:
    """names -> the names of each split, which later names do not change.

    A hash places each name between 0 and 1, and the shares cut that line. Only where a cut would
    leave a split empty does it move past the nearest name.
    """
    if len(names) < len(SPLITS):
        raise UsageError(
            f"{len(names)} classes ({', '.join(names)}) cannot be divided into train, val and "
            "test: add classes, or use the split 'all'"
        )
    place = {name: _place(name) for name in names}
    order = sorted(names, key=lambda name: (place[name], name))
    first = sum(p < SHARES["train"] for p in place.values())
    second = sum(p < SHARES["train"] + SHARES["val"] for p in place.values())
    first = min(max(first, 1), len(order) - 2)
    second = min(max(second, first + 1), len(order) - 1)
    parts = (order[:first], order[first:second], order[second:])
    return {split: sorted(part) for split, part in zip(SPLITS, parts, strict=True)}


def _place(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def _divide(classes: Sequence[ClassFolder]) -> Mapping[str, list[int]]:
    """classes -> class numbers of each split, and of "all"."""
    number = {c.name: i for i, c in enumerate(classes)}
    parts = {"all": list(number.values())}
    given = {s: [number[c.name] for c in classes if c.split == s] for s in SPLITS}
    if any(given.values()):
        return {s: part for s, part in given.items() if part} | parts
    if len(classes) < len(SPLITS):
        return parts
    by_name = split_by_name([c.name for c in classes])
    return {s: [number[name] for name in part] for s, part in by_name.items()} | parts


def _scan(path: Path) -> list[ClassFolder]:
    """path -> its classes, in the order of their names."""
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
    entries = [entry for entry in sorted(path.iterdir()) if entry.name[0] != "."]
    if loose := [entry for entry in entries if entry.is_file() and is_picture_name(entry)]:
        raise UsageError(f"{loose[0]} lies outside a class: put each class in a folder of its own")
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        raise UsageError(f"{path} is empty: put a folder of pictures for each class into it")
    return folders


def _class_folder(path: Path, split: str | None) -> ClassFolder:
    pictures = pictures_in(path)
    if not pictures and any(p.is_dir() for p in path.iterdir()):
        raise UsageError(
            f"{path} holds folders, not pictures: if it is a split, the splits must be called "
            "train, val and test, with nothing beside them"
        )
    if not pictures:
        raise UsageError(f"the class folder {path} holds no picture: add some or remove it")
    return ClassFolder(path.name, split, pictures)


def _channels(classes: Sequence[ClassFolder]) -> int:
    files = chain.from_iterable(c.pictures for c in classes)
    bar = tqdm(files, desc="looking for colour", disable=None, delay=2)
    return 1 if all(map(is_grey, bar)) else 3


def _decode(name: str, classes: Sequence[ClassFolder], size: int, channels: int) -> ImageSet:
    files = [path for c in classes for path in c.pictures]
    labels = torch.tensor([i for i, c in enumerate(classes) for _ in c.pictures])
    return ImageSet(
        images=read_pictures(files, size, channels, name),
        labels=labels,
        names=tuple(c.name for c in classes),
        domains=torch.zeros_like(labels),
        domain_names=(name,),
    )
