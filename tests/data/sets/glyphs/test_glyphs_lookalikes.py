"""resemblance on glyphs made by hand, and which pairs are joined first."""

from __future__ import annotations

import numpy as np
import pytest

from fewshot_film.data.sets.glyphs.lookalikes import MAX_MEAN, MAX_SINGLE, mutual_best, resemblance


def bar(row: int, height: int = 4) -> np.ndarray:
    image = np.zeros((28, 28), dtype=np.uint8)
    image[row : row + height, 6:22] = 255
    return image


def test_the_same_glyph_is_as_alike_as_can_be() -> None:
    images = np.stack([bar(5), bar(5), bar(20)])
    ratio = resemblance(images, np.array([0, 1, 2]), np.array([0, 0, 0]))
    assert ratio[0, 1] == pytest.approx(1 / MAX_MEAN, abs=1e-4)
    assert ratio[0, 2] < 0.5
    assert np.diag(ratio).tolist() == [0, 0, 0]
    assert np.array_equal(ratio, ratio.T)


def test_families_are_averaged_and_one_match_is_enough() -> None:
    images = np.stack([bar(5), bar(12), bar(5), bar(20)])
    labels, families = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    ratio = resemblance(images, labels, families)
    assert ratio[0, 1] == pytest.approx(1 / MAX_SINGLE, abs=1e-4)


def test_only_the_first_image_of_a_family_counts() -> None:
    images = np.stack([bar(5), bar(20), bar(12), bar(20)])
    labels, families = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])
    assert resemblance(images, labels, families)[0, 1] < 0.5


def test_classes_without_a_shared_family_are_still_compared() -> None:
    images = np.stack([bar(5), bar(5)])
    ratio = resemblance(images, np.array([0, 1]), np.array([0, 1]))
    assert ratio[0, 1] > 1


def test_the_closest_pair_is_joined_first() -> None:
    ratio = np.array([[0, 1.01, 0.2], [1.01, 0, 1.04], [0.2, 1.04, 0]])
    assert mutual_best(ratio) == [(1, 2)]
    assert mutual_best(ratio * 0.9) == []
