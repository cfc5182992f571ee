from pathlib import Path

import pytest
import torch

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.glyphs.by_rendering import BY_RENDERING
from fewshot_film.data.sets.glyphs.load import load
from fewshot_film.data.sets.glyphs.renderings import RENDERINGS


@pytest.fixture(scope="module")
def data() -> ImageSet:
    return BY_RENDERING.load(Path(), "val")


def test_every_glyph_is_there_once_in_each_rendering(data: ImageSet) -> None:
    plain = load(Path(), "val")
    assert data.domain_names == RENDERINGS == BY_RENDERING.domains
    assert data.names == plain.names
    for code in range(len(RENDERINGS)):
        assert torch.equal(data.labels[data.domains == code], plain.labels)
    assert len(data) == BY_RENDERING.images["val"] == len(RENDERINGS) * len(plain)


def test_a_glyph_is_the_same_deformed_glyph_in_each(data: ImageSet) -> None:
    solid, inverted, low = (
        data.of_domains([name]).images.float() for name in ("solid", "inverted", "low contrast")
    )
    torch.testing.assert_close(inverted, 255 - solid, rtol=0, atol=1.0)
    torch.testing.assert_close(low, 0.4 * 255 + 0.2 * solid, rtol=0, atol=1.0)
    assert not torch.equal(solid, load(Path(), "val").images.float()), "deformed"


def test_it_is_the_same_at_every_load(data: ImageSet) -> None:
    again = BY_RENDERING.load.__wrapped__(Path(), "val")  # type: ignore[attr-defined]
    assert torch.equal(again.images, data.images)
