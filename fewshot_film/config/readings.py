"""Readings: what a frozen network says of every image, found once and kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor
from tqdm import tqdm

from fewshot_film.base.files import load_tensors, save_tensors, tensors_sha256
from fewshot_film.base.pixels import as_float
from fewshot_film.base.seeding import POOL, generator
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.reading.cache import cached, digest
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.transforms import with_channels

BATCH = 64
"""Images that pass the network at once."""
TELLING = 8
"""Tasks by which a sampler is known."""
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
    """rng -> the sampler's episodes, with readings in the place of their images.

    What was read is kept in a folder, by the state of `rng`: who asks again waits no more. Where
    the folder cannot be written, everybody waits.
    """

    def __init__(self, sampler: Sampler, extractor: Extractor, root: Path) -> None:
        self.sampler, self.extractor = sampler, extractor
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query
        self.folder = root / "decoded" / f"read-{self._key()[:16]}"

    def _key(self) -> str:
        """A few tasks tell a sampler, its data and settings apart from others."""
        shown: list[Tensor] = []
        for position in range(TELLING):  # one alone may be of what two mixtures share
            task = self.sampler.sample(1, generator(0, POOL, position))
            shown += (task.support.images, task.query.images, task.support.labels, task.group)
        about = (self.extractor.reader_id(), *self.groups, tensors_sha256(shown))
        return digest(about)

    @property
    def groups(self) -> tuple[str, ...]:
        return self.sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        file = self.folder / f"{tensors_sha256([rng.get_state()])[:24]}-{tasks}.safetensors"
        kept = _kept(file)
        if kept is None:
            kept = self._made(tasks, rng)
            _keep(file, kept)
        rng.set_state(kept.pop("rng"))
        return unpacked(kept, self.way, next(self.extractor.parameters()).device)

    def _made(self, tasks: int, rng: torch.Generator) -> dict[str, Tensor]:
        episode = self.sampler.sample(tasks, rng)
        sets = [self._read(part) for part in (episode.support, episode.query)]
        tensors = packed(replace(episode, support=sets[0], query=sets[1]))
        return {**tensors, "rng": rng.get_state()}

    def _read(self, labeled: LabeledSet) -> LabeledSet:
        flat = labeled.images.flatten(0, 1)
        found = torch.cat([readings(part, self.extractor) for part in flat.split(BATCH)])
        return replace(labeled, images=found.half().unflatten(0, labeled.images.shape[:2]))


def _kept(file: Path) -> dict[str, Tensor] | None:
    """What was written, or None; what is damaged is made again."""
    with suppress(UsageError):
        return load_tensors(file)[0]
    return None


def _keep(file: Path, tensors: dict[str, Tensor]) -> None:
    """Writes them, where that can be done."""
    with suppress(OSError, FewShotError):
        file.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(file, tensors, {})


PARTS = ("support", "query")


def packed(episode: Episode) -> dict[str, Tensor]:
    """An episode as tensors by name."""
    tensors = {"class_ids": episode.class_ids, "group": episode.group}
    for name in PARTS:
        part: LabeledSet = getattr(episode, name)
        tensors |= {f"{name}.images": part.images, f"{name}.labels": part.labels}
        if part.factors is not None:
            tensors[f"{name}.factors"] = part.factors
    return tensors


def unpacked(tensors: dict[str, Tensor], way: int, device: torch.device) -> Episode:
    """The episode that was packed, its images in single precision."""
    there = {name: value.to(device) for name, value in tensors.items()}
    sets = {
        name: LabeledSet(
            there[f"{name}.images"].float(),
            there[f"{name}.labels"],
            there.get(f"{name}.factors"),
        )
        for name in PARTS
    }
    return Episode(**sets, way=way, class_ids=there["class_ids"], group=there["group"])
