"""A task on the packaged glyphs, to try a model on in a minute: no download, no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.data.sets.glyphs import SOURCE
from fewshot_film.errors import UsageError
from fewshot_film.tasks.numbered import numbered
from fewshot_film.tasks.which_attribute import FACTORS, WhichAttributeSampler

Task: TypeAlias = tuple[Tensor, list[int], Tensor, list[int]]
"""Images to learn from, their labels, further images, and what is right for those."""

INK = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""(upper pixel, lower pixel) -> the character that shows both."""


def glyphs(asked: str = "slant", *, way: int = 5, shot: int = 3, seed: int = 0) -> Task:
    """A task on characters of scripts that no shipped model was trained on.

    Every image has a character, a size, a slant and a rendering; `asked` is the one that labels go
    by. The images depend on the seed alone, so that only their labels tell what is asked.
    """
    if asked not in FACTORS:
        raise UsageError(f"`asked` is {asked!r}; pass one of {', '.join(FACTORS)}")
    sampler = WhichAttributeSampler(SOURCE.load(Path(), "test"), way, shot, 1)
    episode = next(numbered(sampler, 1, seed))
    support, query, column = episode.support, episode.query, FACTORS.index(asked)
    assert support.factors is not None
    assert query.factors is not None
    labels, answers = (part[0, :, column].tolist() for part in (support.factors, query.factors))
    return support.images[0], labels, query.images[0], answers


def drawn(images: Float[Tensor, "image 1 height width"], labels: Sequence[Any]) -> str:
    """Images as text for a terminal, five to a line, each above its label."""
    small = F.avg_pool2d(images, 2).squeeze(1)
    dark, bright = (small.flatten(1).aminmax(dim=1)[i].view(-1, 1, 1) for i in (0, 1))
    inked = (small > (dark + bright) / 2).tolist()
    tiles = [[*_lines(ink), f"{label!s:^14}"] for ink, label in zip(inked, labels, strict=True)]
    rows = [tiles[i : i + 5] for i in range(0, len(tiles), 5)]
    return "\n\n".join("\n".join(map("  ".join, zip(*row, strict=True))) for row in rows)


def _lines(ink: Sequence[Sequence[bool]]) -> list[str]:
    """Two rows of pixels to a line of text."""
    pairs = (zip(*two, strict=True) for two in zip(ink[::2], ink[1::2], strict=True))
    return ["".join(INK[pixels] for pixels in pair) for pair in pairs]
