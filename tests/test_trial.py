from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import picture_folder

from fewshot_film.config import Config
from fewshot_film.episodes import Sampler
from fewshot_film.errors import UsageError
from fewshot_film.report import evaluate_run
from fewshot_film.run import Run
from fewshot_film.seeding import TEST, generator
from fewshot_film.trial import Protocol, Question
from fewshot_film.trial import test_images as load_images
from fewshot_film.trial import test_sampler as sampler_of

PROTOCOL = Protocol("d", "test", 5, 1, 3, 6, 0, 28, 1)


def make_sampler(config: Config, split: str, root: Path, convert_channels: bool) -> Sampler:
    return sampler_of(config, split, load_images(config, split, root, convert_channels))


def test_the_protocol_as_a_line() -> None:
    line = "d test: 5-way 1-shot, 3 queries a class, 6 episodes, seed 0, 28x28x1 images, inductive"
    assert str(PROTOCOL) == line


def test_what_is_left_out_is_as_the_run_was_tested(trained: Path) -> None:
    protocol = evaluate_run(trained, Question(episodes=2)).protocol
    config = Run(trained).config()
    assert (protocol.way, protocol.shot) == (config.test_way, config.shot)
    assert (protocol.dataset, protocol.split, protocol.seed) == ("glyphs", "test", 0)


def test_what_is_asked_for_is_done(trained: Path) -> None:
    asked: dict[str, Any] = {"way": 2, "shot": 1, "query": 4, "episodes": 3, "seed": 9}
    report = evaluate_run(trained, Question(dataset="glyphs-characters", split="val", **asked))
    found = report.protocol
    assert {name: getattr(found, name) for name in asked} == asked
    assert (found.dataset, found.split) == ("glyphs-characters", "val")
    assert len(report.evaluation.accuracies) == 3
    other = evaluate_run(trained, Question(dataset="glyphs-characters", **{**asked, "seed": 8}))
    assert not np.array_equal(other.evaluation.group, report.evaluation.group)


@pytest.mark.parametrize("dataset", ["glyphs", "glyphs-attributes", "glyphs-typefaces"])
def test_grey_tasks_for_a_colour_model(dataset: str) -> None:
    """They are drawn in grey, as for a grey model, and repeated into three channels."""
    shape: dict[str, Any] = {"dataset": dataset, "test_way": 2, "shot": 1, "query": 1}
    colour, grey = (
        make_sampler(Config(channels=c, **shape), "test", Path(), convert_channels=True)
        for c in (3, 1)
    )
    a, b = (sampler.sample(2, generator(0, TEST)).query.images for sampler in (colour, grey))
    assert a.shape[2] == 3
    assert all(torch.equal(a[:, :, c], b[:, :, 0]) for c in range(3))
    with pytest.raises(UsageError, match="3 channels, glyphs has 1; pass --convert-channels"):
        make_sampler(Config(channels=3, **shape), "test", Path(), convert_channels=False)


def test_pictures_are_resized(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3, size=51)
    config = Config(data=str(folder), channels=3, size=24, test_way=2, shot=1, query=1)
    sampler = make_sampler(config, "all", tmp_path, convert_channels=False)
    assert sampler.sample(1, generator(0, TEST)).query.images.shape == (1, 2, 3, 24, 24)
