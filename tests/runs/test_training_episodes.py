from dataclasses import replace
from pathlib import Path
from typing import Any

import making
import pytest
import torch

from fewshot_film.config.config import Config
from fewshot_film.config.problem import problem_of
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.parts.schedule import auxiliary_share
from fewshot_film.runs.training_episodes import TrainingEpisodes
from fewshot_film.tasks.class_batches import ClassBatches
from fewshot_film.tasks.transforms import AUGMENTATIONS

DATA = making.image_set([30] * 6, size=8)
CONFIG = Config(dataset="omniglot", way=3, shot=2, query=2, tasks=2, steps=400, size=16)


def episodes_of(data: ImageSet = DATA, **changes: Any) -> TrainingEpisodes:
    config = replace(CONFIG, **changes)
    return TrainingEpisodes(config, problem_of(config, Path()), data)


def batches_of(images: int) -> ClassBatches:
    made = episodes_of(auxiliary=f"instead:images={images}").batches
    assert made is not None
    return made


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
@pytest.mark.slow
def test_co_training_is_as_frequent_as_the_schedule_says(auxiliary: str) -> None:
    """The number of batches among 400 steps, within four standard deviations."""
    made = episodes_of(auxiliary=auxiliary)
    count = sum(made.at(step).auxiliary is not None for step in range(400))
    shares = torch.tensor([auxiliary_share(400, step) for step in range(400)])
    deviation = (shares * (1 - shares)).sum().sqrt()
    assert abs(count - shares.sum()) < 4 * deviation


def test_a_batch_holds_images_with_their_classes() -> None:
    batch = batches_of(16).sample(making.seeded())
    assert batch.images.shape == (1, 16, 1, 8, 8)
    drawn = making.numbers(batch.images)[0]
    assert len(set(drawn.tolist())) == 16
    assert torch.equal(DATA.labels[drawn], batch.labels[0])


def test_every_image_is_as_likely_in_a_batch() -> None:
    batches = batches_of(20)
    counts = torch.zeros(len(DATA))
    for seed in range(400):
        counts[making.numbers(batches.sample(making.seeded(seed)).images)[0]] += 1
    mean = 400 * 20 / len(DATA)
    assert (counts - mean).abs().max() < 5 * mean**0.5


def test_a_batch_is_never_larger_than_the_data() -> None:
    assert batches_of(1000).sample(making.seeded()).images.shape[1] == len(DATA)


@pytest.mark.parametrize("augmentation", [name for name in AUGMENTATIONS.names if name != "none"])
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


def test_where_classes_are_learned_a_step_sees_batches_of_all() -> None:
    batch = episodes_of(objective="classify:images=16", adapter="none", way=5, tasks=3).at(0)
    assert batch.query.images.shape == (3, 16, 1, 8, 8)
    assert batch.support.images.shape[1] == 0
    assert (batch.way, batch.class_ids.tolist()) == (6, [list(range(6))] * 3)
    assert torch.equal(DATA.labels[making.numbers(batch.query.images)], batch.query.labels)


def test_uniform_queries_are_for_plain_tasks() -> None:
    with pytest.raises(UsageError, match="`query_draw` uniform is for plain tasks, glyphs draws"):
        episodes_of(dataset="glyphs", query_draw="uniform")
