from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import foreign
import numpy as np
import pytest
import torch
from running import QUIET, SHORT, picture_folder

from fewshot_film.base.seeding import TEST, generator
from fewshot_film.config.build import build
from fewshot_film.config.catalog import ENTRIES, default_config
from fewshot_film.config.config import Config
from fewshot_film.config.machine import Machine
from fewshot_film.config.problem import Problem, problem_of
from fewshot_film.config.protocol import Question
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.runs.training import fit
from fewshot_film.runs.training_episodes import TrainingEpisodes
from fewshot_film.runs.trial import problem_in_question, trial
from fewshot_film.tasks import Augmented, Pool
from fewshot_film.tasks.numbered import numbered


def on(root: Path) -> Machine:
    return replace(QUIET, data_root=root)


def test_what_is_left_out_is_as_the_run_was_tested(trained: Path) -> None:
    protocol = evaluate_run(trained, Question(episodes=2), QUIET).protocol
    config = Run(trained).config()
    assert (protocol.way, protocol.shot) == (config.test_way, config.shot)
    assert (protocol.dataset, protocol.split, protocol.seed) == ("glyphs", "test", 0)


def test_queries_drawn_uniformly(trained: Path, tmp_path: Path) -> None:
    """As many in all, of any class, and said so beside the figure."""
    folder = picture_folder(tmp_path / "pictures", classes=7, mode="L")
    asked: dict[str, Any] = {"data": str(folder), "split": "all", "way": 5, "query": 3}
    asked_of = Question(**asked, query_draw="uniform", episodes=5)
    report = evaluate_run(trained, asked_of, on(tmp_path))
    assert "15 queries drawn uniformly, 5 episodes" in str(report.protocol)
    drawn = trial(trained, asked_of, on(tmp_path)).sampler.sample(5, generator(0, TEST))
    counts = torch.stack([(drawn.query.labels == c).sum(1) for c in range(5)])
    assert (counts.sum(0) == 15).all()
    assert (counts != 3).any()
    with pytest.raises(UsageError, match=r"^`query_draw` uniform is for plain tasks, glyphs draws"):
        evaluate_run(trained, Question(query_draw="uniform", episodes=5), QUIET)


def test_what_is_asked_for_is_done(trained: Path) -> None:
    asked: dict[str, Any] = {"way": 2, "shot": 1, "query": 4, "episodes": 3, "seed": 9}
    asked |= {"dataset": "glyphs-characters", "split": "val"}
    report = evaluate_run(trained, Question(**asked), QUIET)
    found = report.protocol
    assert {name: getattr(found, name) for name in asked} == asked
    assert len(report.evaluation.accuracies) == 3
    other = evaluate_run(trained, Question(**asked | {"seed": 8}), QUIET)
    assert not np.array_equal(other.evaluation.group, report.evaluation.group)


def test_a_trial_draws_its_own_episodes(trained: Path) -> None:
    put = trial(trained, Question(episodes=3, seed=4), QUIET)
    drawn = list(put.episodes())
    for a, b in zip(drawn, numbered(put.sampler, 3, 4), strict=True):
        assert torch.equal(a.query.images, b.query.images)


def test_a_problem_that_is_there_is_asked_about(trained: Path) -> None:
    problem = problem_of(Run(trained).config(), Path())
    put = trial(trained, Question(episodes=1), QUIET, problem=problem)
    assert [images.names for images in problem.loaded.values()] == [problem.images("test").names]
    assert put.protocol == trial(trained, Question(episodes=1), QUIET).protocol


def counting(problem: Problem, loads: list[str]) -> Problem:
    """The problem, which notes what is loaded of its data set."""
    source = problem.entry.source

    def load(root: Path, split: str) -> ImageSet:
        loads.append(split)
        return source.load(root, split)

    entry = replace(problem.entry, source=replace(source, load=load))
    return replace(problem, entry=entry, loaded={}, readings={})


# --- a network that reads


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of a small foreign network with a neck on grey images; its data root is beside it."""
    place = tmp_path_factory.mktemp("runs")
    choices: dict[str, Any] = SHORT | {"extractor": "tiny", "size": 16, "steps": 2, "pool": 4}
    with foreign.known():
        config = default_config("glyphs", **choices)
        yield fit(config, place / "reading", on(place / "root")).path


def test_what_is_evaluated_twice_is_loaded_once(reading: Path) -> None:
    """And read once: the second time asks for no pass through the network."""
    loads, root = list[str](), reading.parent / "root"
    problem = counting(problem_of(Run(reading).config(), root), loads)
    asked = Question(episodes=3)
    first = evaluate_run(reading, asked, on(root), problem=problem)
    files = set(root.rglob("*.safetensors"))
    again = evaluate_run(f"{reading}@frozen", asked, on(root), problem=problem)
    assert loads == ["test"], "pictures that are rendered before they are read are held once"
    assert len(problem.readings) == 1
    assert set(root.rglob("*.safetensors")) == files
    assert first.protocol == again.protocol
    assert evaluate_run(reading, asked, on(root)).evaluation.accuracies.tolist() == (
        first.evaluation.accuracies.tolist()
    )


def test_grey_images_are_converted_unasked(reading: Path) -> None:
    """In the training's own test and on another data set; people see the same tasks in colour."""
    for question in (Question(episodes=2), Question(dataset="glyphs-characters", episodes=2)):
        put = trial(reading, question, on(reading.parent / "root"))
        drawn = list(put.episodes())
        pictured = list(numbered(put.pictured, 2, 0))
        net = put.classifier.features.extractor
        for read, seen in zip(drawn, pictured, strict=True):
            assert torch.equal(read.query.labels, seen.query.labels)
            assert torch.equal(read.class_ids, seen.class_ids)
            assert seen.query.images.shape[2:] == (3, 16, 16)
            by_hand = net.read(seen.query.images.flatten(0, 1)).half().float()
            torch.testing.assert_close(read.query.images[0], by_hand, rtol=1e-3, atol=1e-3)
            assert put.classifier(read).argmax(2).equal(put.classifier(seen).argmax(2))


def test_training_tasks_are_those_of_the_pool(reading: Path) -> None:
    """Which are of images that were read."""
    config, root = Run(reading).config(), reading.parent / "root"
    problem = problem_of(config, root)
    read = problem.read_by(build(config).features.extractor, progress=False)
    episodes = TrainingEpisodes(config, read, read.images("train"))
    for step in range(2):
        assert episodes.at(step).query.images.shape[-2:] == (1, 1)
    assert isinstance(episodes.sampler, Augmented)
    assert isinstance(episodes.sampler.sampler, Pool)


def test_a_run_adapts_on_pictures(reading: Path) -> None:
    """As a person has them, with the answers that its evaluation gives."""
    put = trial(reading, Question(episodes=1), on(reading.parent / "root"))
    (seen,) = numbered(put.pictured, 1, 0)
    task = put.classifier.adapt(seen.support.images[0], seen.support.labels[0])
    expected = put.classifier(next(put.episodes()))[0]
    torch.testing.assert_close(task(seen.query.images[0]), expected, rtol=0, atol=1e-2)


# --- what a question is about

DIGITS = Config(dataset="digits", train_domains="mnist", test_domains="usps")
COLOUR = replace(DIGITS, channels=3, size=32)


def about(question: Question, config: Config, base: Config | None = None) -> Problem:
    return problem_in_question(question, config, base or config, Path())


def test_a_network_that_others_trained_has_images_converted_for_it() -> None:
    config = default_config("omniglot", extractor="timm")
    for question in (Question(), Question(dataset="glyphs"), Question(dataset="pacs")):
        assert about(question, config).convert
        assert not about(question, DIGITS).convert


def test_images_come_in_the_size_and_channels_that_the_run_takes() -> None:
    """Whatever the run that it is compared with takes."""
    for question in (Question(), Question(dataset="digits"), Question(dataset="pacs")):
        found = about(question, COLOUR, DIGITS)
        assert (found.size, found.channels, found.convert) == (32, 3, False)
    assert about(Question(convert_channels=True), COLOUR).convert
    assert about(Question(dataset="glyphs", convert_channels=True), COLOUR).convert


@pytest.mark.parametrize("channels", [1, 3])
def test_a_run_s_own_pictures_are_read_as_in_its_training(channels: int, tmp_path: Path) -> None:
    """With no word of conversion; others', or in other channels, only if they are asked for."""
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    config = Config(data=str(folder), channels=channels, size=16)
    own = problem_in_question(Question(split="all"), config, config, tmp_path)
    assert own.images("all").channels == channels
    other = replace(config, channels=4 - channels)
    with pytest.raises(UsageError, match=r"pass `convert_channels` to convert them"):
        problem_in_question(Question(split="all"), other, config, tmp_path).images("all")


def test_a_run_of_a_folder_is_asked_about_the_data_set_that_is_named(tmp_path: Path) -> None:
    """Whichever that is: the name that a Config of a folder holds means nothing."""
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    config = Config(data=str(folder))
    assert about(Question(), config).name == str(folder)
    for name in ("glyphs", "omniglot"):
        assert about(Question(dataset=name), config).name == name
        assert about(Question(dataset=name), config).entry is ENTRIES[name]


@pytest.mark.parametrize("named", [None, "digits"])
def test_domains_that_are_left_out_are_as_the_run_was_tested(named: str | None) -> None:
    for split, expected in (("train", "mnist"), ("val", "mnist"), ("test", "usps")):
        assert about(Question(dataset=named), DIGITS).domains(split) == (expected,)


def test_domains_are_those_of_the_run_that_is_compared_with() -> None:
    """Whatever else a run was trained on, the first one says what both are asked."""
    other = Config(dataset="digits", train_domains="svhn")
    first = Config(dataset="digits", train_domains="mnist")
    assert about(Question(), other, first).domains("test") == ("usps", "svhn", "mnist-m")
    assert about(Question(), other, DIGITS).domains("test") == ("usps",)
    assert about(Question(), DIGITS, Config()).domains("test") == ()


def test_domains_of_a_run_do_not_follow_it_to_other_data(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    for question in (Question(dataset="glyphs"), Question(data=str(folder))):
        assert about(question, DIGITS).domains("test") == ()
    other = about(Question(dataset="pacs"), DIGITS)
    assert other.named("photo") == ("photo",)
    with pytest.raises(UsageError, match=r"some of art_painting, .* in an evaluation with `domai"):
        other.domains("test")


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.slow
def test_the_domains_that_are_named_are_asked_in_every_split(
    split: str, on_mnist: Path, several_domains: Path
) -> None:
    question = Question(domains="svhn, usps", split=split, episodes=1)
    put = trial(on_mnist, question, on(several_domains))
    assert put.protocol.tested_domains == put.sampler.groups == ("svhn", "usps")


@pytest.mark.slow
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
            asked = trial(f"{run}{variant}", question, on(several_domains))
            assert asked.protocol.transductive == says, (run.name, split, variant)
