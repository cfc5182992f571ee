"""What every training step sees, as a function of its number."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from fewshot_film.base.seeding import TRAINING, generator
from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem, training_sampler
from fewshot_film.data.image_set import ImageSet
from fewshot_film.model.auxiliary import AUXILIARIES
from fewshot_film.model.objective import OBJECTIVES, FromClasses
from fewshot_film.parts.schedule import auxiliary_share
from fewshot_film.tasks import Augmented, ClassBatches, SupervisedBatches
from fewshot_film.tasks.augmented import transformed
from fewshot_film.tasks.episode import Episode, Sampler
from fewshot_film.tasks.transforms import AUGMENTATIONS


@final
class TrainingEpisodes:
    """step -> the tasks of a training step and, in co-training, at times a batch of all classes."""

    def __init__(self, config: Config, problem: Problem, data: ImageSet) -> None:
        """`data` is what is learned from, on the device where episodes are made."""
        self.config = config
        self.augmentation = AUGMENTATIONS.read(config.augmentation)
        self.sampler = Augmented(task_sampler(config, problem, data), self.transform)
        auxiliary = AUXILIARIES.read(config.auxiliary)
        self.batches = (
            None if auxiliary.name == "none" else ClassBatches(data, auxiliary.option("images"))
        )

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """The augmentation."""
        return self.augmentation(images=images, rng=rng)

    def at(self, step: int) -> Episode:
        """What step number `step` sees, on the data's device."""
        rng = generator(self.config.seed, TRAINING, step)
        episode = self.sampler.sample(self.config.tasks, rng)
        if self.batches is None:
            return episode
        if torch.rand((), generator=rng) >= auxiliary_share(self.config.steps, step):
            return episode
        batch = transformed(self.batches.sample(rng), self.transform, rng)
        return replace(episode, auxiliary=batch)


def task_sampler(config: Config, problem: Problem, data: ImageSet) -> Sampler:
    """What draws the training tasks, or batches, that a Config describes."""
    asked = OBJECTIVES.read(config.objective)()
    if isinstance(asked, FromClasses):
        return SupervisedBatches(data, asked.images)
    return training_sampler(problem, config, data)
