"""PACS and Office-Caltech10: the same classes in several domains, a folder of pictures for each.

PACS is by Li et al., Deeper, broader and artier domain generalization, 2017; Office-Caltech10 by
Gong et al., Geodesic flow kernel for unsupervised domain adaptation, 2012.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fewshot_film.data.image_set import ImageSet, joined
from fewshot_film.data.reading.cache import cached, fingerprint
from fewshot_film.data.reading.class_folders import Files, class_files, decoded
from fewshot_film.data.reading.held_out import train_and_val
from fewshot_film.data.reading.splits import part_of
from fewshot_film.data.source import SPLITS, DataSource

SIZE = 96


def source(
    name: str,
    summary: str,
    folder: str,
    domains: tuple[str, ...],
    classes: tuple[str, ...],
    images: Mapping[str, int],
) -> DataSource:
    """<root>/<folder>/<domain>/<class>/<picture> -> the source.

    Train and val divide the images of each class and domain, 9 and 1 of 10. Test is every image,
    those of train and val among them: it is meant for domains that were not trained on.
    """
    layout = f"{folder}/<{'|'.join(domains)}>/<class>/<picture>"

    def load(root: Path, split: str) -> ImageSet:
        part_of(images, split, name)
        files = {d: class_files(root / folder / d, classes, layout) for d in domains}
        key = fingerprint(*(root / folder / d for d in domains))
        everything = cached(root, name, key, partial(_decode, files))
        return everything if split == "test" else train_and_val(everything)[split]

    return DataSource(
        name=name,
        summary=summary,
        licence="none stated",
        channels=3,
        size=SIZE,
        classes=dict.fromkeys(SPLITS, len(classes)),
        images=images,
        obtain=f"have it as {folder}/<domain>/<class>/<picture>",
        load=load,
        present=lambda root: all((root / folder / d).is_dir() for d in domains),
        domains=domains,
        tested_whole=True,
    )


def _decode(files: Mapping[str, Files]) -> ImageSet:
    return joined([decoded(pictures, domain, SIZE) for domain, pictures in files.items()])


PACS = source(
    "pacs",
    "seven kinds of object as art paintings, cartoons, photographs and sketches",
    "pacs",
    ("art_painting", "cartoon", "photo", "sketch"),
    ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"),
    {"train": 8981, "val": 1010, "test": 9991},
)
OFFICE_CALTECH10 = source(
    "office-caltech10",
    "ten kinds of object from a shop, a collection of photographs and two cameras",
    "office_caltech10",
    ("amazon", "caltech", "dslr", "webcam"),
    (
        "backpack",
        "bike",
        "calculator",
        "headphones",
        "keyboard",
        "laptop_computer",
        "monitor",
        "mouse",
        "mug",
        "projector",
    ),
    {"train": 2263, "val": 270, "test": 2533},
)
