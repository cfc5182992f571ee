"""Your own images: a folder with one folder of pictures for each class."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.cache import digest, facts_of, keep, kept
from fewshot_film.data.reading.class_tree import ClassFolder, class_tree
from fewshot_film.data.reading.picture import read_pictures
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

SHARES = {"train": 0.64, "val": 0.16, "test": 0.20}


def folder_source(path: Path, size: int, channels: int | None = None) -> DataSource:
    """<path>/<class>/<picture> or <path>/{train,val,test}/<class>/<picture> -> the source.

    Without split folders the classes are divided by a hash of their names, some 64, 16 and 20 %.
    The split "all" is every class. Without `channels`, pictures are grey if all files are. The
    folder is listed here and no more, and its pictures are opened once at most, by the first load.
    """
    if channels not in (None, 1, 3):
        raise UsageError(f"`channels` is {channels}: give 1 for grey or 3 for colour")
    classes = class_tree(path)
    name = os.fsencode(path.resolve().name).decode("utf8", "replace")
    decoded = _Decoded(name, path, classes, size, channels)
    parts = _divide(classes)

    def load(root: Path, split: str) -> ImageSet:
        chosen = _chosen(parts, split, path)
        return decoded.images(root).of_classes(chosen)

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


@dataclass(eq=False)
class _Decoded:
    """The pictures of a folder as it was listed: decoded once, then kept on disk and in memory."""

    name: str
    path: Path
    classes: Sequence[ClassFolder]
    size: int
    channels: int | None
    memory: ImageSet | None = None

    def images(self, root: Path) -> ImageSet:
        """Every class, with three equal channels where grey pictures are asked for in colour."""
        if self.memory is None:
            self.memory = self._kept(root) or self._read(root)
        data = self.memory
        return replace(data, images=data.images.expand(-1, self.channels or -1, -1, -1))

    def _kept(self, root: Path) -> ImageSet | None:
        """What another source wrote; grey that is asked for may be what the pictures are."""
        as_stored, turned_grey = self._names()
        key, asked = self._key(), self.channels
        if asked == 1 and (data := kept(root, turned_grey, key)) is not None:
            return data
        data = kept(root, as_stored, key)
        return None if data is not None and asked == 1 != data.channels else data

    def _read(self, root: Path) -> ImageSet:
        files = [picture.path for c in self.classes for picture in c.pictures]
        asked = 1 if self.channels == 1 else None
        images, grey = read_pictures(files, self.size, asked, self.name)
        labels = torch.tensor([i for i, c in enumerate(self.classes) for _ in c.pictures])
        names, domains = tuple(c.name for c in self.classes), torch.zeros_like(labels)
        data = ImageSet(images, labels, names, domains, (self.name,))
        as_stored, turned_grey = self._names()
        keep(root, turned_grey if asked and not grey else as_stored, self._key(), data)
        return data

    def _names(self) -> tuple[str, str]:
        """Names in the cache: of the pictures as they are, and of coloured ones in grey."""
        place = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]
        return f"{self.name}-{place}", f"{self.name}-{place}-grey"

    def _key(self) -> str:
        pictures = [picture for c in self.classes for picture in c.pictures]
        names = [picture.path.relative_to(self.path).as_posix() for picture in pictures]
        return f"{digest(map(facts_of, pictures, names))} {self.size}"


def _chosen(parts: Mapping[str, list[int]], split: str, path: Path) -> list[int]:
    """The class numbers of a split, or an error that says how there would be any."""
    if split in parts:
        return parts[split]
    if split not in SPLITS:
        remedy = ""
    elif len(parts) > 1:
        remedy = f", or put a folder {split} of other classes beside the splits"
    else:
        remedy = f", or add classes: {len(SPLITS)} and more are divided into {', '.join(SPLITS)}"
    raise UsageError(
        f"the folder {path} has no split {split!r}: choose one of {', '.join(parts)}{remedy}"
    )


def split_by_name(names: Sequence[str]) -> dict[str, list[str]]:
    """names -> the names of each split, which later names do not change.

    A hash places each name between 0 and 1, and the shares cut that line. Only where a cut would
    leave a split empty does it move past the nearest name.
    """
    if len(names) < len(SPLITS):
        raise UsageError(
            f"{len(names)} classes ({', '.join(names)}) cannot be divided into train, val and "
            "test: add classes, or give all as the `split`"
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
