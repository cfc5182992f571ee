"""DataSource: what a data set is, where it comes from, and how a split of it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fewshot_film.data.image_set import ImageSet

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class DataSource:
    """(data root, split) -> ImageSet, with the facts a person wants before using it.

    `classes` and `images` count what `load` gives per split. `obtain` says how the data arrive
    ("ships with the package", "downloads 14 MB at first use", ...).

    `channels` is None where only the pictures say it: then `load` gives three if any is coloured.

    `domains` are those of a data set that is tested on domains which training does not see. Its
    classes may be the same in every split, which then divides images. It is empty where only
    classes are divided, so that those of the test are new. `tested_whole` says that the test split
    holds the images of the others too, since it is meant for domains that were not trained on.
    """

    name: str
    summary: str
    licence: str
    channels: int | None
    size: int
    classes: Mapping[str, int]
    images: Mapping[str, int]
    obtain: str
    load: Callable[[Path, str], ImageSet]
    present: Callable[[Path], bool]
    domains: tuple[str, ...] = ()
    tested_whole: bool = False
