from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official import shade
from running import picture_folder

from fewshot_film.base.seeding import TEST, generator
from fewshot_film.config.config import Config
from fewshot_film.errors import UsageError
from fewshot_film.runs import trial
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.config.protocol import Question
from fewshot_film.runs.trial import unlabeled_images
from fewshot_film.runs.trial import test_images as load_images
from fewshot_film.runs.trial import test_sampler as sampler_of
from fewshot_film.tasks.episode import Sampler


def make_sampler(config: Config, split: str, root: Path, convert_channels: bool) -> Sampler:
    return sampler_of(
        config, split, load_images(config, split, root, convert_channels, ()), "balanced"
    )


def test_what_is_left_out_is_as_the_run_was_tested(trained: Path) -> None:
    protocol = evaluate_run(trained, Question(episodes=2)).protocol
    config = Run(trained).config()
    assert (protocol.way, protocol.shot) == (config.test_way, config.shot)
    assert (protocol.dataset, protocol.split, protocol.seed) == ("glyphs", "test", 0)


def test_queries_drawn_uniformly(trained: Path, tmp_path: Path) -> None:
    """As many in all, of any class, and said so beside the figure."""
    folder = picture_folder(tmp_path / "pictures", classes=7, mode="L")
    asked: dict[str, Any] = {"data": str(folder), "split": "all", "way": 5, "query": 3}
    asked_of = Question(**asked, query_draw="uniform", episodes=5)
    report = evaluate_run(trained, asked_of)
    assert "15 queries drawn uniformly, 5 episodes" in str(report.protocol)
    drawn = trial.trial(trained, asked_of).sampler.sample(5, generator(0, TEST))
    counts = torch.stack([(drawn.query.labels == c).sum(1) for c in range(5)])
    assert (counts.sum(0) == 15).all()
    assert (counts != 3).any()
    with pytest.raises(UsageError, match="--query-draw uniform is for plain tasks, glyphs draws"):
        evaluate_run(trained, Question(query_draw="uniform", episodes=5))


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


# --- domains

DIGITS = Config(dataset="digits", train_domains="mnist", test_domains="usps")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_domains_that_are_named_are_asked_in_every_split(split: str) -> None:
    """Those of the training too: the guard tells a test from a look at what is known."""
    question = Question(domains="svhn, mnist", split=split)
    assert question.domains_in(question.of(DIGITS, DIGITS)) == ("svhn", "mnist")


@pytest.mark.parametrize("named", [None, "digits"])
def test_domains_that_are_left_out_are_as_the_run_was_tested(named: str | None) -> None:
    for split, expected in (("train", "mnist"), ("val", "mnist"), ("test", "usps")):
        question = Question(dataset=named, split=split)
        assert question.domains_in(question.of(DIGITS, DIGITS)) == (expected,)


def test_domains_are_those_of_the_run_that_is_compared_with() -> None:
    """Whatever else a run was trained on, the first one says what both are asked."""
    other = Config(dataset="digits", train_domains="svhn")
    first = Config(dataset="digits", train_domains="mnist")
    asked = Question().of(other, first)
    assert Question().domains_in(asked) == ("usps", "svhn", "mnist-m")
    assert Question().domains_in(Question().of(other, DIGITS)) == ("usps",)
    assert Question().domains_in(Question().of(DIGITS, Config())) == ()


def test_domains_of_a_run_do_not_follow_it_to_other_data(tmp_path: Path) -> None:
    for question in (Question(dataset="glyphs"), Question(data=str(tmp_path))):
        assert question.domains_in(question.of(DIGITS, DIGITS)) == ()
    question = Question(dataset="pacs", domains="photo")
    assert question.domains_in(question.of(DIGITS, DIGITS)) == ("photo",)
    question = Question(dataset="pacs")
    with pytest.raises(UsageError, match=r"some of art_painting, .* in an evaluation with --domai"):
        question.domains_in(question.of(DIGITS, DIGITS))


# --- images without labels


def test_unlabeled_images_are_of_the_domains_training_part(several_domains: Path) -> None:
    config = replace(DIGITS, channels=3, size=32)
    drawn = unlabeled_images(config, ("usps", "svhn"), several_domains)
    assert drawn.domain_names == ("usps", "svhn")
    assert len(drawn) == 2 * 10 * 9
    greys = [[shade(d, digit) for digit in range(10)] for d in ("usps", "svhn")]
    expected = torch.tensor(greys)[drawn.domains, drawn.labels]
    assert torch.equal(drawn.images[:, 0, 4, 16].long(), expected)
    again = unlabeled_images(config, ("usps", "svhn"), several_domains)
    assert torch.equal(again.images, drawn.images)
    other = unlabeled_images(replace(config, seed=1), ("usps", "svhn"), several_domains)
    assert not torch.equal(other.images, drawn.images)


def test_unlabeled_images_come_as_the_run_takes_them(several_domains: Path) -> None:
    colour, grey = (
        unlabeled_images(replace(DIGITS, channels=c, size=16), ("usps",), several_domains)
        for c in (3, 1)
    )
    assert colour.images.shape[1:] == (3, 16, 16)
    assert grey.images.shape[1:] == (1, 16, 16)
    assert torch.equal(grey.images, colour.images[:, :1]), "grey pictures in three channels"


def test_no_more_unlabeled_images_than_asked_for(
    several_domains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "UNLABELED", 7)
    config = replace(DIGITS, channels=3, size=16)
    assert len(unlabeled_images(config, ("usps",), several_domains)) == 7


def test_data_without_domains_have_no_unlabeled_images(tmp_path: Path) -> None:
    for config, name in ((Config(), "glyphs"), (Config(data=str(tmp_path)), str(tmp_path))):
        with pytest.raises(UsageError, match=r"is not divided by domains; .* \(RUN@adabn\)") as e:
            unlabeled_images(config, (), tmp_path)
        assert str(e.value).startswith(name)


def test_statistics_of_images_that_are_asked_are_transductive(
    on_mnist: Path, on_pacs: Path, several_domains: Path
) -> None:
    """PACS is tested whole; digits are tested on images of their own."""
    for run, split, expected in (
        (on_mnist, "test", False),
        (on_mnist, "val", False),
        (on_mnist, "train", True),
        (on_pacs, "test", True),
        (on_pacs, "val", False),
        (on_pacs, "train", True),
    ):
        for variant, says in (("@adabn-domain", expected), ("@adabn", False), ("", False)):
            question = Question(split=split, episodes=1)
            asked = trial.trial(f"{run}{variant}", question, root=several_domains, device="cpu")
            assert asked.protocol.transductive == says, (run.name, split, variant)
