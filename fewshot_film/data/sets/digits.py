"""Digits in four domains: MNIST and USPS, handwritten; SVHN, photographed; MNIST-M, blended.

LeCun et al., Gradient-based learning applied to document recognition, 1998 (MNIST); Hull, A
database for handwritten text recognition research, 1994 (USPS); Netzer et al., Reading digits in
natural images with unsupervised feature learning, 2011 (SVHN); Ganin and Lempitsky, Unsupervised
domain adaptation by backpropagation, 2015 (MNIST-M).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from fewshot_film.data.image_set import ImageSet, joined
from fewshot_film.data.reading.cache import cached, fingerprint
from fewshot_film.data.reading.class_folders import Files, class_files, decoded
from fewshot_film.data.reading.download import Archive
from fewshot_film.data.reading.held_out import train_and_val
from fewshot_film.data.reading.idx import read_idx
from fewshot_film.data.reading.libsvm import read_libsvm
from fewshot_film.data.reading.packed import lying, obtain_file
from fewshot_film.data.reading.splits import part_of
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

SIZE = 32
NAMES = tuple("0123456789")
MNIST_SIDE, USPS_SIDE = 28, 16
MNIST_FOLDER, USPS_FOLDER = "MNIST/raw", "usps"
PICTURE_FOLDERS = ("svhn", "mnist-m")
"""The domains that lie as <folder>/{train,test}/<digit>/<picture>."""

MNIST_ADDRESSES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/{}",
    "https://storage.googleapis.com/cvdf-datasets/mnist/{}",
)
USPS_ADDRESSES = ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/{}",)
MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
USPS_MD5 = {
    "usps.bz2": "ec16c51db3855ca6c91edd34d0e9b197",
    "usps.t.bz2": "8ea070ee2aca1ac39742fdd1ef5ed118",
}

Archives = Mapping[str, Mapping[str, Archive]]
"""folder -> the files in it that can be downloaded, by name."""


def _archives(addresses: tuple[str, ...], md5: Mapping[str, str]) -> Mapping[str, Archive]:
    return {n: Archive(n, tuple(a.format(n) for a in addresses), m) for n, m in md5.items()}


ARCHIVES: Archives = {
    MNIST_FOLDER: _archives(MNIST_ADDRESSES, MNIST_MD5),
    USPS_FOLDER: _archives(USPS_ADDRESSES, USPS_MD5),
}


def source(archives: Archives = ARCHIVES) -> DataSource:
    """Where MNIST and USPS are downloaded from -> the source.

    Test is the official test part of each domain; train and val divide the training part by image.
    """

    classes = dict.fromkeys(SPLITS, len(NAMES))

    def load(root: Path, split: str) -> ImageSet:
        part_of(classes, split, "digits")  # a wrong name should not cost a download
        if split == "test":
            return official(root, "test", archives)
        return train_and_val(official(root, "train", archives))[split]

    return DataSource(
        name="digits",
        summary="handwritten, photographed and blended digits",
        licence="MNIST CC BY-SA 3.0, SVHN non-commercial, others none stated",
        channels=3,
        size=SIZE,
        classes=classes,
        # SVHN and MNIST-M as balanced subsets of 16,000 + 4,000; larger copies give more
        images={"train": 89350, "val": 9941, "test": 20007},
        obtain="downloads 20 MB; have svhn and mnist-m (20,000 counted each) as docs/data.md says",
        load=load,
        present=partial(_present, archives),
        domains=("mnist", "usps", *PICTURE_FOLDERS),
    )


def official(root: Path, part: str, archives: Archives = ARCHIVES) -> ImageSet:
    """root, "train" or "test" -> that part of every domain, one domain after another."""
    layout = f"<{'|'.join(PICTURE_FOLDERS)}>/<train|test>/<digit>/<picture>"
    pictures = {d: class_files(root / d / part, NAMES, layout) for d in PICTURE_FOLDERS}
    files = {
        name: obtain_file(archive, root / folder)
        for folder, group in archives.items()
        for name, archive in group.items()
    }
    folders = [*(root / folder for folder in archives), *(root / d / part for d in pictures)]
    build = partial(_decode, part, files, pictures)
    return cached(root, f"digits-{part}", fingerprint(*folders), build)


def _present(archives: Archives, root: Path) -> bool:
    files = all(lying(a, root / f) for f, group in archives.items() for a in group.values())
    return files and all((root / folder).is_dir() for folder in PICTURE_FOLDERS)


def _decode(part: str, files: Mapping[str, Path], pictures: Mapping[str, Files]) -> ImageSet:
    prefix, middle = ("train", "") if part == "train" else ("t10k", ".t")
    mnist = read_mnist(
        files[f"{prefix}-images-idx3-ubyte.gz"], files[f"{prefix}-labels-idx1-ubyte.gz"]
    )
    others = [decoded(found, domain, SIZE) for domain, found in pictures.items()]
    return joined([mnist, read_usps(files[f"usps{middle}.bz2"]), *others])


def read_mnist(images: Path, labels: Path) -> ImageSet:
    """Two idx files -> the domain "mnist"."""
    pixels, digits = read_idx(images, 3), read_idx(labels, 1)
    count, height, width = pixels.shape
    if count != len(digits) or (height, width) != (MNIST_SIDE, MNIST_SIDE):
        raise UsageError(
            f"{images} holds {count} images of {height} x {width} and {labels} {len(digits)} "
            f"labels, as many of {MNIST_SIDE} x {MNIST_SIDE} are expected: delete both to have "
            "them downloaded again"
        )
    return _grey(pixels, digits.astype(np.int64), "mnist", labels)


def read_usps(path: Path) -> ImageSet:
    """A libsvm file of labels 1 to 10 and pixels from -1 to 1 -> the domain "usps"."""
    labels, values = read_libsvm(path, USPS_SIDE**2)
    if np.abs(values).max() > 1:
        raise UsageError(
            f"{path} holds a pixel beyond -1 and 1: delete it to have it downloaded again"
        )
    pixels = ((values + 1) * 127.5).round().astype(np.uint8)
    return _grey(pixels.reshape(-1, USPS_SIDE, USPS_SIDE), labels - 1, "usps", path)


def _grey(
    pixels: UInt8[np.ndarray, "image height width"],
    digits: Int64[np.ndarray, " image"],
    domain: str,
    path: Path,
) -> ImageSet:
    """Grey images -> three equal channels of SIZE; `path` is where the digits were read."""
    if (wrong := digits[(digits < 0) | (digits >= len(NAMES))]).size:
        raise UsageError(
            f"{path} holds a label for {wrong[0]}, which is no digit: delete it to have it "
            "downloaded again"
        )
    labels = torch.from_numpy(digits)
    grey = torch.from_numpy(pixels).unsqueeze(1)
    data = ImageSet(grey, labels, NAMES, torch.zeros_like(labels), (domain,)).resize(SIZE)
    return replace(data, images=data.images.expand(-1, 3, -1, -1))


DIGITS = source()
