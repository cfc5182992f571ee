"""Omniglot: handwritten characters of 50 alphabets, each drawn once by 20 people.

Lake, Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic program
induction, Science 2015.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.archive import obtain
from fewshot_film.data.reading.cache import cached, fingerprint
from fewshot_film.data.reading.download import Archive
from fewshot_film.data.reading.splits import part_of
from fewshot_film.data.source import DataSource
from fewshot_film.errors import UsageError

ADDRESSES = (
    "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/{}",
    "https://github.com/brendenlake/omniglot/raw/master/python/{}",
)
MD5 = {
    "images_background": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
}
ARCHIVES = {
    folder: Archive(
        f"{folder}.zip",
        tuple(a.format(f"{folder}.zip") for a in ADDRESSES),
        md5,
        "alphabet/character/picture.png",
    )
    for folder, md5 in MD5.items()
}

SIZE = 28
CHARACTERS = 1623
DRAWERS = 20
TURNS = ("", "/rot090", "/rot180", "/rot270")
"""What a quarter turn adds to the name of a class."""
FILE_NAME = re.compile(r"(\d{4})_(\d{2})\.png")

Ranges = tuple[tuple[int, int], ...]

# Ranges of the official character numbers 1 to 1623, both ends included. The split of Vinyals et
# al. (Matching networks, 2016) is published by name in data/omniglot/splits/vinyals of
# github.com/jakesnell/prototypical-networks, which turns the classes of all three parts. The part
# for validation is five whole alphabets: Armenian, Bengali, Early Aramaic, Hebrew and Mkhedruli.
# One alphabet, Gurmukhi, lies in both train and test.
VALIDATION: Ranges = ((27, 67), (132, 177), (251, 272), (466, 487), (729, 769))
VINYALS: Mapping[str, Ranges] = {
    "train": ((1, 26), (68, 131), (178, 250), (273, 465), (488, 728), (770, 1200)),
    "val": VALIDATION,
    "test": ((1201, 1623),),
}
# The authors' own division by alphabet: 30 to learn from, of which the same five alphabets are
# kept for validation, and 20 to be tested on.
LAKE: Mapping[str, Ranges] = {
    "train": ((1, 26), (68, 131), (178, 250), (273, 465), (488, 728), (770, 964)),
    "val": VALIDATION,
    "test": ((965, 1623),),
}


def source(
    name: str,
    summary: str,
    split_ranges: Mapping[str, Ranges],
    turns: int,
    archives: Mapping[str, Archive] = ARCHIVES,
) -> DataSource:
    """A division of the characters -> the source; each of `turns` quarter turns makes a class."""
    classes = {split: turns * len(_numbers(r)) for split, r in split_ranges.items()}

    def load(root: Path, split: str) -> ImageSet:
        chosen = [n - 1 for n in _numbers(part_of(split_ranges, split, name))]
        return turned(all_characters(root, archives).of_classes(chosen), turns)

    return DataSource(
        name=name,
        summary=summary,
        licence="MIT",
        channels=1,
        size=SIZE,
        classes=classes,
        images={split: DRAWERS * count for split, count in classes.items()},
        obtain="downloads 14 MB at first use",
        load=load,
        present=lambda root: all((root / "omniglot" / folder).is_dir() for folder in archives),
    )


def all_characters(root: Path, archives: Mapping[str, Archive] = ARCHIVES) -> ImageSet:
    """root -> every character upright, class n - 1 being the official number n."""
    parts = [obtain(archive, root / "omniglot" / name) for name, archive in archives.items()]
    return cached(root, "omniglot", fingerprint(*parts), partial(_decode, parts))


def turned(data: ImageSet, turns: int) -> ImageSet:
    """Classes -> classes turned by 0, 90, 180, 270 degrees counterclockwise, the upright first.

    An upright class keeps its name, so that a character found in two data sets is found by name.
    """
    if turns == 1:
        return data
    return replace(
        data,
        images=torch.cat([torch.rot90(data.images, k, (-2, -1)) for k in range(turns)]),
        labels=torch.cat([data.labels + k * len(data.names) for k in range(turns)]),
        names=tuple(f"{name}{turn}" for turn in TURNS[:turns] for name in data.names),
        domains=data.domains.repeat(turns),
    )


def alphabets(data: ImageSet) -> Int64[Tensor, " image"]:
    """Characters, turned or not -> the alphabet of each image, numbered as names first come."""
    of_class = [name.split("/")[0] for name in data.names]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(of_class))}
    return torch.tensor([numbers[name] for name in of_class]).to(data.device)[data.labels]


def drawers(data: ImageSet) -> Int64[Tensor, " image"]:
    """Characters -> who drew each image: a number for every alphabet and drawer of it.

    The files number the drawers of each alphabet from 1 to 20, and nothing says that a number is
    the same person in another one.
    """
    return alphabets(data) * DRAWERS + data.domains


def _numbers(ranges: Ranges) -> list[int]:
    return [n for first, last in ranges for n in range(first, last + 1)]


def _decode(parts: Sequence[Path]) -> ImageSet:
    drawings = sorted(
        (int(match[1]), int(match[2]), path)
        for part in parts
        for path in part.glob("*/*/*.png")
        if (match := FILE_NAME.fullmatch(path.name))
    )
    labels = np.array([number - 1 for number, _, _ in drawings], dtype=np.int64)
    _check_whole(labels, parts)
    bar = tqdm(drawings, desc="reading Omniglot", disable=None, delay=2)
    names = {number: f"{p.parent.parent.name}/{p.parent.name}" for number, _, p in drawings}
    return ImageSet(
        images=torch.from_numpy(np.stack([_ink(path) for _, _, path in bar])[:, None]),
        labels=torch.from_numpy(labels),
        names=tuple(names.values()),
        domains=torch.tensor([drawer - 1 for _, drawer, _ in drawings]),
        domain_names=tuple(f"drawer {d:02d}" for d in range(1, DRAWERS + 1)),
    )


def _check_whole(labels: np.ndarray, parts: Sequence[Path]) -> None:
    counts = np.bincount(labels, minlength=CHARACTERS)
    if len(counts) != CHARACTERS or not 0 < counts.min() == counts.max():
        short = int(counts[:CHARACTERS].argmin()) + 1
        raise UsageError(
            f"Omniglot is not whole: character {short:04d} has {counts[short - 1]} drawings, "
            f"another {counts.max()}; delete {parts[0].parent} to have it downloaded again"
        )


def _ink(path: Path) -> UInt8[np.ndarray, "28 28"]:
    """105 x 105 black on white -> 255 times the share of ink in each pixel's square.

    The box filter keeps the amount of ink and does not ring beside strokes as Lanczos does.
    """
    try:
        with Image.open(path) as image:
            small = image.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX)
    except (OSError, SyntaxError) as error:
        raise UsageError(f"cannot read {path} ({error}): restore or delete it") from error
    return 255 - np.asarray(small)


OMNIGLOT = source(
    "omniglot",
    "handwritten characters, split of Vinyals et al., quarter turns as further classes",
    VINYALS,
    len(TURNS),
)
OMNIGLOT_LAKE = source(
    "omniglot-lake",
    "handwritten characters, the authors' split by alphabet, upright only",
    LAKE,
    1,
)
UPRIGHT = source(
    "omniglot-upright",
    "handwritten characters, split of Vinyals et al., upright only",
    VINYALS,
    1,
)
