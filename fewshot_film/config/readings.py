"""Readings: what a frozen network says of every image, found once and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor
from tqdm import tqdm

from fewshot_film.base.files import tensors_sha256
from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.cache import cached, digest
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.transforms import with_channels

BATCH = 64
"""Images that pass the network at once."""
LONG = 500
"""Images from which on a progress bar is worth its line."""


def reading_set(images: ImageSet, extractor: Extractor, root: Path, *, progress: bool) -> ImageSet:
    """The same set with readings in the place of its images, in float16; kept under the root."""
    about = (tensors_sha256([images.images, images.labels]), *images.names)
    key = digest((extractor.reader_id(), *about))
    return cached(root, f"read-{key[:16]}", key, lambda: _read_all(images, extractor, progress))


def _read_all(images: ImageSet, extractor: Extractor, progress: bool) -> ImageSet:
    parts = images.images.split(BATCH)
    quiet = not progress or len(images) < LONG
    found = [
        readings(as_float(part), extractor).half().to(images.device)
        for part in tqdm(parts, desc="read images", unit="batch", disable=quiet)
    ]
    return replace(images, images=torch.cat(found))


def readings(images: Tensor, extractor: Extractor) -> Tensor:
    """What an extractor reads of images, grey ones in three equal channels."""
    device = next(extractor.parameters()).device
    return extractor.read(with_channels(images, extractor.channels or images.shape[1]).to(device))


@final
class Read:
    """rng -> the sampler's episodes, with readings in the place of their images."""

    def __init__(self, sampler: Sampler, extractor: Extractor) -> None:
        self.sampler, self.extractor = sampler, extractor
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query

    @property
    def groups(self) -> tuple[str, ...]:
        return self.sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        episode = self.sampler.sample(tasks, rng)
        return replace(
            episode, support=self._read(episode.support), query=self._read(episode.query)
        )

    def _read(self, labeled: LabeledSet) -> LabeledSet:
        flat = labeled.images.flatten(0, 1)
        found = torch.cat([readings(part, self.extractor) for part in flat.split(BATCH)])
        return replace(labeled, images=found.unflatten(0, labeled.images.shape[:2]))
