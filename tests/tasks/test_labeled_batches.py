from dataclasses import replace
from pathlib import Path

import making
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import seeded

from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.runs.learner import Learner
from fewshot_film.runs.step import Step
from fewshot_film.runs.training_episodes import TrainingEpisodes
from fewshot_film.tasks import SupervisedBatches
from fewshot_film.tasks.episode import Sampler
from fewshot_film.tasks.transforms import AUGMENTATIONS

COUNTS = [4, 9, 5, 30, 4, 7]
DATA = making.image_set(COUNTS)
CONFIG = Config(
    dataset="digits",
    objective="classify:images=16",
    adapter="none",
    extractor="conv4:width=8",
    test_domains="usps",
    tasks=2,
    size=making.SIZE,
)


# --- laws


def test_shapes() -> None:
    sampler = SupervisedBatches(DATA, 8)
    episode = sampler.sample(3, seeded())
    assert isinstance(sampler, Sampler)
    assert sampler.groups == ("all",)
    assert (sampler.way, sampler.shot, sampler.query) == (6, 0, 8)
    assert episode.support.images.shape == (3, 0, 1, 4, 4)
    assert episode.support.labels.shape == (3, 0)
    assert episode.query.images.shape == (3, 8, 1, 4, 4)
    assert episode.way == 6
    assert episode.class_ids.tolist() == [list(range(6))] * 3
    assert episode.group.tolist() == [0] * 3


@given(seed=st.integers(0, 2**31), images=st.integers(1, 59))
def test_labels_are_those_of_the_images_and_none_comes_twice(seed: int, images: int) -> None:
    query = SupervisedBatches(DATA, images).sample(2, seeded(seed)).query
    index = making.numbers(query.images)
    assert torch.equal(query.labels, DATA.labels[index])
    assert torch.equal(query.images, DATA.images[index].float() / 255)
    assert all(len(set(row.tolist())) == images for row in index)


def test_it_is_a_function_of_the_generator() -> None:
    sampler = SupervisedBatches(DATA, 8)
    first, again = sampler.sample(3, seeded(1)).query, sampler.sample(3, seeded(1)).query
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(sampler.sample(3, seeded(2)).query.images, first.images)
    assert not torch.equal(first.images[0], first.images[1]), "a batch of its own for every task"
    rng = seeded(1)
    sampler.sample(3, rng)
    assert not torch.equal(sampler.sample(3, rng).query.images, first.images)


def test_every_image_is_equally_likely() -> None:
    """20 of the 59 images in each of 6,000 batches, whatever their class; five deviations."""
    drawn = making.numbers(SupervisedBatches(DATA, 20).sample(6000, seeded()).query.images)
    share = 20 / len(DATA)
    counts = torch.bincount(drawn.flatten(), minlength=len(DATA))
    assert (counts - 6000 * share).abs().max() < 5 * (6000 * share * (1 - share)) ** 0.5


# --- by hand and at the edges


def test_a_batch_is_never_larger_than_the_data() -> None:
    query = SupervisedBatches(DATA, 1000).sample(1, seeded()).query
    assert making.numbers(query.images)[0].sort().values.tolist() == list(range(len(DATA)))


@pytest.mark.parametrize("images", [0, -3])
def test_a_batch_without_images(images: int) -> None:
    with pytest.raises(UsageError, match=f"`images` is {images}; it must be at least 1"):
        SupervisedBatches(DATA, images)


# --- in training


def shades(each: int = 12) -> ImageSet:
    """Ten classes of noisy images, each with its own brightness."""
    data = making.image_set([each] * 10, size=making.SIZE)
    bright = 20 * data.labels.view(-1, 1, 1, 1) + data.images // 8
    return replace(data, images=bright.byte())


def problem(config: Config) -> Problem:
    """The digits, none of whose images are asked for."""
    return problem_of(config, Path())


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.names)
def test_what_a_step_of_plain_training_sees(augmentation: str) -> None:
    """Batches, augmented or not; there is no support set to augment."""
    config = replace(CONFIG, augmentation=augmentation)
    drawn = TrainingEpisodes(config, problem(config), shades())
    episode, again = drawn.at(3), drawn.at(3)
    assert episode.support.images.shape == (2, 0, 1, making.SIZE, making.SIZE)
    assert episode.query.images.shape == (2, 16, 1, making.SIZE, making.SIZE)
    assert episode.way == 10
    assert torch.equal(episode.query.images, again.query.images)
    assert not torch.equal(drawn.at(4).query.images, episode.query.images)


def test_plain_training_learns() -> None:
    config = replace(CONFIG, objective="classify:images=32", steps=40)
    device = torch.device("cpu")
    learner, step = Learner(config, problem(config), device), Step(config, device)
    drawn = TrainingEpisodes(config, problem(config), shades())
    outcomes = [step(learner, drawn.at(i)) for i in range(40)]
    losses = [float(outcome.loss.detach()) for outcome in outcomes]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert sum(float(outcome.accuracy) for outcome in outcomes[-5:]) / 5 > 0.3
