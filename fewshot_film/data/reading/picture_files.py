"""Which files are pictures, by their names."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from fewshot_film.data.reading.listing import Entry, listed, refuse_broken
from fewshot_film.errors import UsageError

NEED_A_PLUGIN = (".avif", ".heic", ".heif", ".hif", ".jxl", ".svg", ".webp")
"""Pictures as people have them, some of which Pillow reads here, others not."""


def is_picture_name(path: Path) -> bool:
    """Whether Pillow reads files of that extension; hidden files are no pictures."""
    formats = Image.registered_extensions()
    return path.name[0] != "." and formats.get(path.suffix.lower()) in Image.OPEN


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """folder -> its picture files, by name."""
    return tuple(entry.path for entry in pictures_among(listed(folder)))


def pictures_among(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """entries -> those that are picture files; a picture must not be left out unsaid."""
    named = [entry for entry in entries if is_picture_name(entry.path)]
    for entry in named:
        refuse_broken(entry)
    return tuple(entry for entry in named if entry.is_file)


def refuse_unread(entries: Iterable[Entry]) -> None:
    """Photos in a format that cannot be read here are not left out unsaid."""
    for entry in entries:
        suffix = entry.path.suffix.lower()
        if suffix in NEED_A_PLUGIN and not entry.is_hidden and not is_picture_name(entry.path):
            raise UsageError(
                f"{entry.path} is in a format that is not read, {suffix}: convert it to .jpg or "
                ".png, or remove it"
            )
