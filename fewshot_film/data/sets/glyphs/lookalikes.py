"""(images, classes, families) -> how alike two classes look, and which of them must be one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer, UInt8

# Two classes look alike when their glyphs correlate above the first bound on average over the
# families that draw both, or above the second, which is sameness to the eye, in any one pair.
MAX_MEAN, MAX_SINGLE = 0.95, 0.985

Images = UInt8[np.ndarray, "image height width"]
Numbers = Integer[np.ndarray, " image"]
Rows = Float[np.ndarray, "image pixel"]
Square = Float[np.ndarray, "label label"]


def resemblance(images: Images, labels: Numbers, families: Numbers) -> Square:
    """r[a, b] = max(mean cosine / MAX_MEAN, largest cosine / MAX_SINGLE); above 1 they look alike.

    Cosines are of blurred, mean-free images. `labels` ascend; a family's first image of a class
    stands for both, so a data set lists the regular face first. The diagonal is 0.
    """
    keys = labels.astype(np.int64) * 1000 + families
    first = np.unique(keys, return_index=True)[1]
    unit, label, family = _unit(images[first]), labels[first], families[first]
    mean, single = _mean_cosine(unit, label, family), _largest_cosine(unit, label)
    ratio: Square = np.maximum(mean / MAX_MEAN, single / MAX_SINGLE)
    # Rounded, so that the order in which a machine adds up does not decide what is merged.
    ratio = np.maximum(ratio, ratio.T).round(4)
    np.fill_diagonal(ratio, 0)
    return ratio


def mutual_best(ratio: Square) -> list[tuple[int, int]]:
    """Pairs a < b of look-alikes, each the other's closest class."""
    best = ratio.argmax(axis=1)
    return [(a, int(b)) for a, b in enumerate(best) if a < b and best[b] == a and ratio[a, b] > 1]


def _mean_cosine(unit: Rows, label: Numbers, family: Numbers) -> Square:
    """Over the families that two classes share; without any, of the classes' mean images."""
    classes = int(label[-1]) + 1
    total = np.zeros((classes, classes), dtype=np.float32)
    shared = np.zeros((classes, classes), dtype=np.float32)
    centre = np.zeros((classes, unit.shape[1]), dtype=np.float32)
    for f in np.unique(family):
        rows, members = unit[family == f], label[family == f]
        centre[members] += rows
        total[np.ix_(members, members)] += rows @ rows.T
        shared[np.ix_(members, members)] += 1
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    return np.where(shared > 0, total / np.maximum(shared, 1), centre @ centre.T)


def _largest_cosine(unit: Rows, label: Numbers) -> Square:
    """Over all pairs of images, whatever their families; one class's rows at a time."""
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    ends = np.append(starts[1:], len(label))
    largest = [
        np.maximum.reduceat((unit[a:b] @ unit.T).max(axis=0), starts)
        for a, b in zip(starts, ends, strict=True)
    ]
    return np.stack(largest)


def _unit(images: Images) -> Rows:
    """Blurred by [1 2 1]/4 along both axes, mean removed, scaled to length one."""
    x = images.astype(np.float32)
    for axis in (1, 2):
        x += (np.roll(x, 1, axis) - 2 * x + np.roll(x, -1, axis)) / 4
    flat = x.reshape(len(x), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    unit: Rows = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return unit
