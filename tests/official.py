"""Small data sets in the layouts of their authors, as a download would leave them."""

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

from fewshot_film.data.cifar import CIFAR_FS_TEST, CIFAR_FS_VAL, FOLDER

CLASSES = sorted(
    [*CIFAR_FS_VAL.split(), *CIFAR_FS_TEST.split(), *(f"class_{i:02d}" for i in range(64))]
)
"""A hundred names, those of CIFAR-FS's validation and test among them, in order."""


def superclass(label: int) -> int:
    return (7 * label) % 20


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
