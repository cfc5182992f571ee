"""Folders listed once: the name, kind, size and time of change of all that lies in them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from fewshot_film.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """What lies at a path. The facts of a link are those of its target, if there is one."""

    path: Path
    facts: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.facts.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.facts.st_mode)

    @property
    def is_broken_link(self) -> bool:
        return stat.S_ISLNK(self.facts.st_mode)

    @property
    def is_hidden(self) -> bool:
        """Not meant to be seen, or what a Mac adds to its archives."""
        return self.path.name[0] == "." or self.path.name == "__MACOSX"


def listed(folder: Path) -> tuple[Entry, ...]:
    """folder -> what lies in it, by name, hidden or not."""
    try:
        with os.scandir(folder) as found:
            entries = [Entry(folder / entry.name, _facts(entry)) for entry in found]
    except OSError as error:
        raise UsageError(
            f"cannot list the folder {folder} ({error.strerror}): make it readable, or remove it"
        ) from error
    return tuple(sorted(entries, key=lambda entry: entry.path))


def refuse_broken(entry: Entry) -> None:
    """A link whose content was not fetched is told from one that is complete."""
    if entry.is_broken_link:
        raise UsageError(
            f"{entry.path} is a link to {os.readlink(entry.path)}, which cannot be reached: fetch "
            "what it leads to, or remove the link"
        )


def _facts(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nothing, or to itself
        return entry.stat(follow_symlinks=False)
