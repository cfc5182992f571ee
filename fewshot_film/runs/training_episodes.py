"""What every training step sees, as a function of its number."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch

from fewshot_film.base.seeding import TRAINING, generator
from fewshot_film.config.catalog import uniform_queries
from fewshot_film.config.config import Config, find_entry
from fewshot_film.data.image_set import ImageSet
from fewshot_film.runs.schedule import auxiliary_share
from fewshot_film.tasks import Augmented, ClassBatches, SupervisedBatches
from fewshot_film.tasks.augmented import Transform, transformed
from fewshot_film.tasks.episode import Episode, Sampler
from fewshot_film.tasks.transforms import flip_and_crop, flip_and_crop_diagonal

AUGMENTATIONS: dict[str, Transform] = {
    "flip-crop": flip_and_crop,
    "flip-crop-diagonal": flip_and_crop_diagonal,
}


@final
class TrainingEpisodes:
    """step -> the tasks of a training step and, in co-training, at times a batch of all classes."""

    def __init__(self, config: Config, data: ImageSet) -> None:
        self.config = config
        self.transform = AUGMENTATIONS.get(config.augmentation)
        sampler = task_sampler(config, data)
        self.sampler = Augmented(sampler, self.transform) if self.transform else sampler
        self.batches = ClassBatches(data, config.auxiliary_batch)

    def at(self, step: int) -> Episode:
        """What step number `step` sees, on the data's device."""
        rng = generator(self.config.seed, TRAINING, step)
        episode = self.sampler.sample(self.config.tasks, rng)
        if self.config.auxiliary == "none":
            return episode
        if torch.rand((), generator=rng) >= auxiliary_share(self.config, step):
            return episode
        batch = self.batches.sample(rng)
        if self.transform:
            batch = transformed(batch, self.transform, rng)
        return replace(episode, auxiliary=batch)


def task_sampler(config: Config, data: ImageSet) -> Sampler:
    """What draws the training tasks, or batches, that a Config describes."""
    if config.objective == "classify":
        return SupervisedBatches(data, config.batch_images)
    entry = find_entry(config)
    uniform = config.query_draw == "uniform"
    factory = uniform_queries(entry.training, entry) if uniform else entry.training
    return factory(data, config.way, config.shot, config.query)
