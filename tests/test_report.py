import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import picture_folder

from fewshot_film.config import Config
from fewshot_film.episodes import Sampler
from fewshot_film.errors import UsageError
from fewshot_film.evaluation import Evaluation, ci95
from fewshot_film.report import (
    Protocol,
    Report,
    evaluate_run,
    load_as,
    present_groups,
    run_folder,
)
from fewshot_film.report import test_images as load_images
from fewshot_film.report import test_sampler as sampler_of
from fewshot_film.run import Run
from fewshot_film.seeding import TEST, generator


def make_sampler(config: Config, split: str, root: Path, convert_channels: bool) -> Sampler:
    return sampler_of(config, split, load_images(config, split, root, convert_channels))


PROTOCOL = Protocol("d", "test", 5, 1, 3, 6, 0, 28, 1)
RESULT = Evaluation(
    np.array([0.2, 0.4, 0.6, 0.8, 1.0, 0.0]), np.array([0, 0, 2, 2, 2, 0]), ("a", "b", "c")
)


def test_json() -> None:
    report = Report("run", Config(), PROTOCOL, RESULT, {"torch": "x"})
    content = json.loads(report.to_json())
    assert content["accuracy"] == pytest.approx(0.5)
    assert content["ci95"] == pytest.approx(1.96 * np.std(RESULT.accuracies, ddof=1) / 6**0.5)
    assert content["accuracies"] == [0.2, 0.4, 0.6, 0.8, 1.0, 0.0]
    assert content["episodes"] == 6
    assert content["run"] == "run"
    assert content["protocol"] == {
        "dataset": "d",
        "split": "test",
        "way": 5,
        "shot": 1,
        "query": 3,
        "episodes": 6,
        "seed": 0,
        "image_size": 28,
        "channels": 1,
        "transductive": False,
        "trained_shot": None,
        "known_classes": 0,
    }
    assert content["group"] == ["a", "a", "c", "c", "c", "a"]
    assert content["groups"].keys() == {"a", "c"}
    assert content["groups"]["c"] == {
        "accuracy": pytest.approx(0.8),
        "ci95": pytest.approx(ci95(np.array([0.6, 0.8, 1.0]))),
        "episodes": 3,
    }


def test_present_groups() -> None:
    assert present_groups(RESULT) == ["a", "c"]


def test_the_protocol_as_a_line() -> None:
    line = "d test: 5-way 1-shot, 3 queries a class, 6 episodes, seed 0, 28x28x1 images, inductive"
    assert str(PROTOCOL) == line


def test_run_names() -> None:
    assert run_folder("a/b@adabn").path == run_folder("a/b").path == Path("a/b")


def test_what_is_left_out_is_as_the_run_was_tested(trained: Path) -> None:
    protocol = evaluate_run(trained, episodes=2).protocol
    config = Run(trained).config()
    assert (protocol.way, protocol.shot) == (config.test_way, config.shot)
    assert (protocol.dataset, protocol.split, protocol.seed) == ("glyphs", "test", 0)


def test_what_is_asked_for_is_done(trained: Path) -> None:
    asked: dict[str, Any] = {"way": 2, "shot": 1, "query": 4, "episodes": 3, "seed": 9}
    report = evaluate_run(trained, dataset="glyphs-characters", split="val", **asked)
    found = report.protocol
    assert {name: getattr(found, name) for name in asked} == asked
    assert (found.dataset, found.split) == ("glyphs-characters", "val")
    assert len(report.evaluation.accuracies) == 3
    other = evaluate_run(trained, dataset="glyphs-characters", **{**asked, "seed": 8})
    assert not np.array_equal(other.evaluation.group, report.evaluation.group)


def test_adaptive_batch_norm_shares_the_extractor(trained: Path) -> None:
    own, other = load_as(trained, "cpu"), load_as(f"{trained}@adabn", "cpu")
    a, b = own.features.extractor.state_dict(), other.features.extractor.state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert type(own.features.adapter) is not type(other.features.adapter)
    assert not other.training


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
