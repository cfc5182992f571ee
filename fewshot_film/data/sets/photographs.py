"""Photographs to learn from that no test of another data set is about.

They are those of CIFAR-100 (Krizhevsky 2009) whose classes CIFAR-FS and FC100 both train on,
without the classes that PACS and Office-Caltech10 hold, so that one network can be tested on all
four. Validation is on those that neither trains on nor tests, the test is that of CIFAR-FS.
"""

from __future__ import annotations

from collections.abc import Mapping

from fewshot_film.data.sets.cifar import Cifar100, cifar_fs_split, fc100_split, source

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
