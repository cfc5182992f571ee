"""Photographs, and characters, to learn from that no test of another data set is about.

The photographs are those of CIFAR-100 (Krizhevsky 2009) whose classes CIFAR-FS and FC100 both
train on, without the classes that PACS and Office-Caltech10 hold, so that one network can be tested
on all four. Validation is on those that neither trains on nor tests, the test is that of CIFAR-FS.
The characters are Omniglot's, upright, divided as Vinyals et al. do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.cifar import SIZE, Cifar100, cifar_fs_split, fc100_split, source
from fewshot_film.data.sets.omniglot import UPRIGHT
from fewshot_film.data.source import SPLITS, DataSource

IN_OTHER_SETS = ("elephant", "house", "keyboard", "mouse")
"""Classes of the same name in PACS or Office-Caltech10."""


def common_split(data: Cifar100) -> Mapping[str, list[int]]:
    """data -> the class numbers of each split, in the order of the class names."""
    first, second = cifar_fs_split(data), fc100_split(data)
    tested = {*first["test"], *second["test"]}
    both = set(first["train"]) & set(second["train"])
    held = {data.names.index(name) for name in IN_OTHER_SETS}
    val = {*first["val"], *second["val"]} - tested - both
    return {"train": sorted(both - held), "val": sorted(val - held), "test": first["test"]}


PHOTOGRAPHS = source(
    "photographs",
    "small colour photographs of classes that no other data set here tests",
    {"train": 38, "val": 23, "test": 20},
    common_split,
)


def side_by_side(first: ImageSet, second: ImageSet) -> ImageSet:
    """Sets of different classes -> one in colour, of the first one's size, with both as domains.

    Grey images get three equal channels.
    """
    second = second.resize(first.images.shape[-1])
    parts = [one.images.expand(-1, 3, -1, -1) for one in (first, second)]
    return ImageSet(
        images=torch.cat(parts),
        labels=torch.cat([first.labels, second.labels + len(first.names)]),
        names=first.names + second.names,
        domains=torch.arange(2).repeat_interleave(torch.tensor([len(first), len(second)])),
        domain_names=(first.domain_names[0], second.domain_names[0]),
    )


def _load(root: Path, split: str) -> ImageSet:
    return side_by_side(PHOTOGRAPHS.load(root, split), UPRIGHT.load(root, split))


PHOTOGRAPHS_AND_CHARACTERS = DataSource(
    name="photographs-and-characters",
    summary="small colour photographs, and characters of many alphabets",
    licence=f"photographs: {PHOTOGRAPHS.licence}; characters: {UPRIGHT.licence}",
    channels=3,
    size=SIZE,
    classes={split: PHOTOGRAPHS.classes[split] + UPRIGHT.classes[split] for split in SPLITS},
    images={split: PHOTOGRAPHS.images[split] + UPRIGHT.images[split] for split in SPLITS},
    obtain="downloads 169 MB and 14 MB at first use",
    load=_load,
    present=lambda root: PHOTOGRAPHS.present(root) and UPRIGHT.present(root),
)
