from dataclasses import replace
from typing import Any

import making
import pytest
import torch

from fewshot_film.config.config import Config
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.parts.schedule import auxiliary_share
from fewshot_film.runs.training_episodes import AUGMENTATIONS, TrainingEpisodes

DATA = making.image_set([30] * 6, size=8)
CONFIG = Config(dataset="omniglot", way=3, shot=2, query=2, tasks=2, steps=400, size=16)


def episodes_of(data: ImageSet = DATA, **changes: Any) -> TrainingEpisodes:
    return TrainingEpisodes(replace(CONFIG, **changes), data)


def test_an_episode_is_a_function_of_seed_and_step() -> None:
    a, b = episodes_of(auxiliary="instead"), episodes_of(auxiliary="instead")
    for step in (0, 7, 399):
        x, y = a.at(step), b.at(step)
        assert torch.equal(x.query.images, y.query.images)
        assert (x.auxiliary is None) == (y.auxiliary is None)
    assert not torch.equal(a.at(1).query.images, a.at(2).query.images)
    other = episodes_of(auxiliary="instead", seed=1).at(0)
    assert not torch.equal(a.at(0).query.images, other.query.images)


def test_without_co_training_no_step_has_a_batch() -> None:
    plain = episodes_of()
    assert all(plain.at(step).auxiliary is None for step in range(50))


@pytest.mark.parametrize("auxiliary", ["instead", "addition"])
def test_co_training_is_as_frequent_as_the_schedule_says(auxiliary: str) -> None:
    """The number of batches among 400 steps, within four standard deviations."""
    config = replace(CONFIG, auxiliary=auxiliary)  # type: ignore[arg-type]
    made = TrainingEpisodes(config, DATA)
    count = sum(made.at(step).auxiliary is not None for step in range(400))
    shares = torch.tensor([auxiliary_share(config, step) for step in range(400)])
    deviation = (shares * (1 - shares)).sum().sqrt()
    assert abs(count - shares.sum()) < 4 * deviation


def test_a_batch_holds_images_with_their_classes() -> None:
    made = episodes_of(auxiliary="instead", auxiliary_batch=16)
    batch = made.batches.sample(making.seeded())
    assert batch.images.shape == (1, 16, 1, 8, 8)
    drawn = making.numbers(batch.images)[0]
    assert len(set(drawn.tolist())) == 16
    assert torch.equal(DATA.labels[drawn], batch.labels[0])


def test_every_image_is_as_likely_in_a_batch() -> None:
    batches = episodes_of(auxiliary_batch=20).batches
    counts = torch.zeros(len(DATA))
    for seed in range(400):
        counts[making.numbers(batches.sample(making.seeded(seed)).images)[0]] += 1
    mean = 400 * 20 / len(DATA)
    assert (counts - mean).abs().max() < 5 * mean**0.5


def test_a_batch_is_never_larger_than_the_data() -> None:
    batches = episodes_of(auxiliary_batch=1000).batches
    assert batches.sample(making.seeded()).images.shape[1] == len(DATA)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_tasks_and_batches_are_augmented(augmentation: str) -> None:
    plain = episodes_of(auxiliary="instead").at(0)
    changed = episodes_of(auxiliary="instead", augmentation=augmentation).at(0)
    assert plain.auxiliary is not None
    assert changed.auxiliary is not None
    assert not torch.equal(plain.support.images, changed.support.images)
    assert changed.auxiliary.images.shape == plain.auxiliary.images.shape


def test_uniform_queries_are_unbalanced() -> None:
    labels = episodes_of(query_draw="uniform", query=4, tasks=8).at(0).query.labels
    counts = torch.stack([(labels == c).sum(1) for c in range(3)])
    assert (counts.sum(0) == 12).all()
    assert (counts != 4).any()


def test_uniform_queries_are_for_plain_tasks() -> None:
    with pytest.raises(UsageError, match="--query-draw uniform is for plain tasks, glyphs draws"):
        episodes_of(dataset="glyphs", query_draw="uniform")
