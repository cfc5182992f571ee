"""Small data sets in the layouts of their authors, as a download would leave them."""

import bz2
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fewshot_film.data.sets.cifar import FOLDER

SUPERCLASSES = (
    "beaver dolphin otter seal whale",
    "aquarium_fish flatfish ray shark trout",
    "orchid poppy rose sunflower tulip",
    "bottle bowl can cup plate",
    "apple mushroom orange pear sweet_pepper",
    "clock keyboard lamp telephone television",
    "bed chair couch table wardrobe",
    "bee beetle butterfly caterpillar cockroach",
    "bear leopard lion tiger wolf",
    "bridge castle house road skyscraper",
    "cloud forest mountain plain sea",
    "camel cattle chimpanzee elephant kangaroo",
    "fox porcupine possum raccoon skunk",
    "crab lobster snail spider worm",
    "baby boy girl man woman",
    "crocodile dinosaur lizard snake turtle",
    "hamster mouse rabbit shrew squirrel",
    "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "bicycle bus motorcycle pickup_truck train",
    "lawn_mower rocket streetcar tank tractor",
)
CLASSES = sorted(" ".join(SUPERCLASSES).split())
"""The names of CIFAR-100, in the order of their numbers."""


def superclass(label: int) -> int:
    """The number of the one that a class is in."""
    return next(i for i, names in enumerate(SUPERCLASSES) if CLASSES[label] in names.split())


def cifar100(
    root: Path, keys: type[bytes] | type[str] = bytes, train: int = 2, test: int = 1
) -> Path:
    """So many images a class in train and in test; pixels tell class, channel, row and column."""
    folder = root / FOLDER
    folder.mkdir(parents=True)

    def key(text: str) -> bytes | str:
        return text.encode() if keys is bytes else text

    for part, copies in (("train", train), ("test", test)):
        labels = np.tile(np.arange(100), copies)[::-1]
        image = np.zeros((len(labels), 3, 32, 32), dtype=np.uint8)
        image[:, 0] = labels[:, None, None]
        image[:, 1] = np.arange(32)[:, None]
        image[:, 2] = np.arange(32)
        content = {
            key("data"): image.reshape(len(labels), -1),
            key("fine_labels"): labels.tolist(),
            key("coarse_labels"): [superclass(c) for c in labels.tolist()],
        }
        (folder / part).write_bytes(pickle.dumps(content, 2))
    names = {key("fine_label_names"): list(map(key, CLASSES))}
    (folder / "meta").write_bytes(pickle.dumps(names, 2))
    return folder


def omniglot(root: Path, drawers: int) -> Path:
    """All 1,623 characters, black on white, by so many people each; a bar tells them apart."""
    for number in range(1, 1624):
        part = "images_background" if number < 965 else "images_evaluation"
        folder = (
            root / "omniglot" / part / f"Alphabet_{number // 30}" / f"character{number % 30:02d}"
        )
        folder.mkdir(parents=True)
        for drawer in range(1, drawers + 1):
            paper = np.full((105, 105), 255, dtype=np.uint8)
            paper[: 15 * drawer, : 15 + number % 60] = 0
            Image.fromarray(paper).convert("1").save(folder / f"{number:04d}_{drawer:02d}.png")
    return root / "omniglot"


DIGIT_DOMAINS = ("mnist", "usps", "svhn", "mnist-m")


def digits(root: Path, train: int = 3, test: int = 2) -> Path:
    """So many images of each digit in each domain's parts; the upper half's grey tells both."""
    for part, each in (("train", train), ("test", test)):
        labels = np.tile(np.arange(10, dtype=np.uint8), each)
        _mnist(root / "MNIST" / "raw", "train" if part == "train" else "t10k", labels)
        _usps(root / "usps" / ("usps.bz2" if part == "train" else "usps.t.bz2"), labels)
        for domain in ("svhn", "mnist-m"):
            for i, label in enumerate(labels.tolist()):
                folder = root / domain / part / str(label)
                folder.mkdir(parents=True, exist_ok=True)
                grey = upper_half(domain, np.array([label]), 32)[0]
                Image.fromarray(np.stack([grey] * 3, -1)).save(folder / f"{i:05d}.png")
    return root


def shade(domain: str, digit: int) -> int:
    """The grey of a digit in a domain, the same for every image of both."""
    return 20 * digit + 10 * DIGIT_DOMAINS.index(domain) + 1


def upper_half(domain: str, labels: np.ndarray, size: int) -> np.ndarray:
    """Square images, one for each label, black below the middle."""
    images = np.zeros((len(labels), size, size), dtype=np.uint8)
    greys = np.array([shade(domain, label) for label in labels.tolist()])
    images[:, : size // 2] = greys[:, None, None]
    return images


def idx(values: np.ndarray) -> bytes:
    """The array of bytes as an idx file."""
    head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return head + values.astype(np.uint8).tobytes()


def _mnist(folder: Path, prefix: str, labels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(upper_half("mnist", labels, 28)))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))


def _usps(path: Path, labels: np.ndarray) -> None:
    """Labels from 1 on, pixels from -1 to 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = upper_half("usps", labels, 16).reshape(len(labels), -1) / 127.5 - 1
    lines = [
        f"{label + 1} " + " ".join(f"{i}:{v:.4f}" for i, v in enumerate(row, 1)) + " \n"
        for label, row in zip(labels.tolist(), values.tolist(), strict=True)
    ]
    path.write_bytes(bz2.compress("".join(lines).encode()))


def domain_folders(
    root: Path, domains: Sequence[str], classes: Sequence[str], each: int = 12
) -> Path:
    """<root>/<domain>/<class>/<picture>; red tells the domain, green the class, blue the image."""
    for d, domain in enumerate(domains):
        for c, name in enumerate(classes):
            folder = root / domain / name
            folder.mkdir(parents=True)
            for i in range(each):
                Image.new("RGB", (12, 10), (50 * d, 20 * c, 10 * i)).save(folder / f"{i:02d}.png")
    return root
