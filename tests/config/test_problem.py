from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import making
import photographs
import pytest
import torch
from official import shade
from running import Count, picture_folder

from fewshot_film.base.seeding import TEST, TRAINING, generator
from fewshot_film.config import problem as module
from fewshot_film.config.catalog import Entry, default_config, foreign
from fewshot_film.config.config import Config
from fewshot_film.config.problem import Problem, problem_of, training_sampler
from fewshot_film.config.protocol import Protocol
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.source import DataSource
from fewshot_film.errors import UsageError
from fewshot_film.tasks import Pool, SameDomainSampler, photo_attribute_tasks
from fewshot_film.tasks.plain import EpisodeSampler

DOMAINS = ("domain0", "domain1", "domain2")
DIGITS = Config(dataset="digits", train_domains="mnist", test_domains="usps")


@dataclass
class Counted:
    """A data set that remembers what was loaded of it."""

    channels: int | None = 1
    domains: tuple[str, ...] = ()
    loads: list[str] = field(default_factory=list)

    def load(self, root: Path, split: str) -> ImageSet:
        del root
        self.loads.append(split)
        return making.image_set([9] * 6, domains=max(1, len(self.domains)), size=20)

    def problem(self, **changes: Any) -> Problem:
        six = dict.fromkeys(("train", "val", "test"), 6)
        source = DataSource(
            name="counted",
            summary="",
            licence="",
            channels=self.channels,
            size=20,
            classes=six,
            images=dict.fromkeys(six, 54),
            obtain="",
            load=self.load,
            present=lambda _root: True,
            domains=self.domains,
        )
        made = Problem("counted", Entry(source, "tasks"), 16, 1, Path())
        return replace(made, **changes)


# --- images


def test_each_split_is_loaded_once() -> None:
    data = Counted()
    problem = data.problem()
    assert data.loads == []
    first = {split: problem.images(split) for split in ("train", "val", "test")}
    assert data.loads == ["train", "val", "test"]
    for split in ("test", "train", "val"):
        assert problem.images(split) is first[split]
        assert problem.images(split, ()) is first[split]
        problem.sampler(Protocol.of(Config(), split))
    assert data.loads == ["train", "val", "test"]


def test_other_domains_are_other_images() -> None:
    data = Counted(domains=DOMAINS)
    problem = data.problem(train_domains="domain2")
    own = problem.images("test")
    assert own.domain_names == ("domain0", "domain1")
    assert problem.images("train").domain_names == ("domain2",)
    assert problem.images("test", ("domain1",)).domain_names == ("domain1",)
    assert problem.images("test", ("domain0", "domain1")) is own


def test_images_take_the_size_of_the_problem() -> None:
    assert Counted().problem(size=18).images("val").images.shape[1:] == (1, 18, 18)


@pytest.mark.parametrize("known", [True, False])
def test_images_of_other_channels_are_refused(known: bool) -> None:
    """Before anything is loaded, where the data set says what it has."""
    data = Counted(channels=1 if known else None)
    problem = data.problem(channels=3)
    says = (
        r"^the network takes images with 3 channels, counted has 1; train with `channels` 1, "
        r"or pass `convert_channels` to convert them in an evaluation$"
    )
    with pytest.raises(UsageError, match=says):
        problem.images("train")
    assert data.loads == ([] if known else ["train"])
    assert replace(problem, convert=True).images("train").channels == 1
    with pytest.raises(UsageError, match=says):
        problem.images("train")


def test_a_copy_with_another_size_has_images_of_that_size() -> None:
    data = Counted()
    problem = data.problem()
    problem.images("val")
    other = replace(problem, size=17).images("val")
    assert other.images.shape[-1] == 17
    assert torch.equal(other.images, data.load(Path(), "val").resize(17).images)


def test_a_folder_is_listed_when_its_problem_is_made_and_read_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=9)
    count = Count(folder, monkeypatch)
    problem = problem_of(Config(data=str(folder), channels=3, size=16), tmp_path / "root")
    assert problem.name == str(folder)
    assert set(count.listings.values()) == {1}
    assert not count.openings
    counts = [len(problem.images(split)) for split in ("train", "val", "test")]
    assert sum(counts) == count.openings.total() == 9 * 6
    assert set(count.listings.values()) == set(count.openings.values()) == {1}


# --- tasks


def test_a_sampler_follows_its_protocol() -> None:
    problem = Counted().problem()
    protocol = Protocol.of(Config(test_way=4, shot=2, query=3), "val")
    sampler = problem.sampler(protocol)
    assert isinstance(sampler, EpisodeSampler)
    assert (sampler.way, sampler.shot, sampler.query) == (4, 2, 3)
    uniform = problem.sampler(replace(protocol, query_draw="uniform"))
    labels = uniform.sample(40, generator(0, TEST)).query.labels
    counts = torch.stack([(labels == c).sum(1) for c in range(4)])
    assert (counts.sum(0) == 12).all()
    assert (counts != 3).any()


def test_training_tasks_follow_their_config() -> None:
    problem = Counted().problem()
    config = Config(way=4, shot=2, query=3)
    sampler = training_sampler(problem, config, problem.images("train"))
    assert (sampler.way, sampler.shot, sampler.query) == (4, 2, 3)
    config = replace(config, query_draw="uniform")
    labels = training_sampler(problem, config, problem.images("train"))
    drawn = labels.sample(40, generator(0, TRAINING)).query.labels
    assert (torch.stack([(drawn == c).sum(1) for c in range(4)]) != 3).any()


def test_training_tasks_of_a_pool() -> None:
    """They are on so many sets, asked for what the tasks ask for and nothing else."""
    problem, data = Counted().problem(), making.image_set([9] * 6)
    config = Config(way=3, shot=1, query=2, pool=4)
    pool = training_sampler(problem, config, data)
    assert isinstance(pool, Pool)
    assert (pool.size, pool.way, pool.shot, pool.query) == (4, 3, 1, 2)
    drawn = pool.sample(40, generator(0, TRAINING))
    whole = torch.cat([drawn.support.images, drawn.query.images], dim=1)
    sets = {tuple(sorted(numbers)) for numbers in making.numbers(whole).tolist()}
    assert len(sets) == 4
    assert isinstance(training_sampler(problem, replace(config, pool=None), data), EpisodeSampler)


@pytest.mark.parametrize(("asked", "columns"), [(("blur",), [2]), (None, [0, 1, 2])])
@pytest.mark.parametrize("grey", [False, True])
def test_a_pool_asks_what_its_sampler_asks(
    asked: tuple[str, ...] | None, columns: list[int], grey: bool
) -> None:
    """Whatever converts the images on their way."""
    factory = partial(photo_attribute_tasks, factors=("hue", "blur"), asked=asked)
    entry = replace(Counted().problem().entry, training=factory)
    problem = replace(Counted().problem(channels=1 if grey else 3), entry=entry)
    data = photographs.numbered([9] * 4)
    pool = training_sampler(problem, Config(way=3, shot=1, query=2, pool=4), data)
    assert isinstance(pool, Pool)
    assert pool.columns == columns
    assert pool.sample(2, generator(0, TRAINING)).query.images.shape[2] == (1 if grey else 3)


@pytest.mark.parametrize("training", [True, False])
def test_uniform_queries_are_for_plain_tasks(training: bool) -> None:
    config, data = Config(query_draw="uniform"), making.image_set([9] * 6)
    problem, protocol = problem_of(config, Path()), Protocol.of(config, "val")
    made = (
        partial(training_sampler, problem, config, data)
        if training
        else partial(problem.sampler, replace(protocol, query_draw="uniform"))
    )
    with pytest.raises(UsageError, match=r"^`query_draw` uniform is for plain tasks, glyphs draws"):
        made()


@pytest.mark.parametrize("dataset", ["glyphs", "glyphs-attributes", "glyphs-typefaces"])
def test_grey_tasks_for_a_colour_model(dataset: str) -> None:
    """They are drawn in grey, as for a grey model, and repeated into three channels."""
    config = Config(dataset=dataset, test_way=2, shot=1, query=1)
    grey = problem_of(config, Path())
    colour = replace(grey, channels=3, convert=True, loaded={})
    a, b = (
        problem.sampler(Protocol.of(config)).sample(2, generator(0, TEST)).query.images
        for problem in (colour, grey)
    )
    assert a.shape[2] == 3
    assert all(torch.equal(a[:, :, c], b[:, :, 0]) for c in range(3))
    with pytest.raises(UsageError, match=r"takes images with 3 channels, .* has 1; train with"):
        replace(colour, convert=False).sampler(Protocol.of(config))


def test_images_are_converted_unasked_for_a_network_that_others_trained() -> None:
    """It takes what it took."""
    own, other = Config(dataset="omniglot"), default_config("omniglot", extractor="timm")
    assert not problem_of(own, Path()).convert
    assert problem_of(other, Path()).convert
    assert (foreign(own.extractor), foreign(other.extractor)) == (False, True)


def test_pictures_are_resized(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3, size=51)
    config = Config(data=str(folder), channels=3, size=24, test_way=2, shot=1, query=1)
    sampler = problem_of(config, tmp_path).sampler(Protocol.of(config, "all"))
    assert sampler.sample(1, generator(0, TEST)).query.images.shape == (1, 2, 3, 24, 24)


# --- domains


@pytest.mark.parametrize("learned", [None, "usps", "svhn,mnist"])
@pytest.mark.parametrize("tested", [None, "mnist-m"])
def test_a_run_is_validated_where_it_learns(learned: str | None, tested: str | None) -> None:
    config = Config(dataset="digits", train_domains=learned, test_domains=tested)
    if learned is None and tested is None:
        with pytest.raises(UsageError, match=r"^digits is tested on domains that tra"):
            problem_of(config, Path()).domains("train")
        return
    train, val, test = (problem_of(config, Path()).domains(s) for s in ("train", "val", "test"))
    assert train == val
    assert not set(train) & set(test)


def test_tasks_are_in_the_domains_of_the_protocol(several_domains: Path) -> None:
    config = replace(DIGITS, channels=3, size=16, shot=1, query=1)
    problem = problem_of(config, several_domains)
    for split, domains in (("val", ("mnist",)), ("test", ("usps",)), ("test", ("svhn", "usps"))):
        sampler = problem.sampler(Protocol.of(config, split, domains))
        assert isinstance(sampler, SameDomainSampler)
        assert sampler.groups == domains


@pytest.mark.parametrize(
    "config", [Config(), Config(dataset="cifar-fs"), Config(dataset="omniglot-lake")]
)
def test_data_sets_without_domains(config: Config) -> None:
    """Nothing is loaded for that."""
    problem = problem_of(config, Path("/nowhere"))
    assert all(problem.domains(split) == () for split in ("train", "val", "test"))


@pytest.mark.parametrize("part", ["train", "test"])
def test_domains_of_a_data_set_that_has_none(part: str, tmp_path: Path) -> None:
    named: dict[str, Any] = {f"{part}_domains": "a"}
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    for config, name in (
        (Config(dataset="omniglot", **named), "omniglot"),
        (Config(data=str(folder), **named), str(folder)),
    ):
        with pytest.raises(UsageError) as error:
            problem_of(config, tmp_path).domains("train")
        assert str(error.value) == f"`{part}_domains` a: {name} is not divided by domains"


def test_domains_that_a_test_names() -> None:
    problem = problem_of(DIGITS, Path())
    assert problem.named("svhn, mnist") == ("svhn", "mnist")
    assert problem.named("") == ()
    with pytest.raises(UsageError, match=r"^`domains` x: digits has no domain 'x'; it has mnist,"):
        problem.named("x")
    with pytest.raises(UsageError, match=r"^`domains` x: glyphs is not divided by domains$"):
        problem_of(Config(), Path()).named("x")


def test_classes_are_told_apart_only_where_the_test_has_the_same(tmp_path: Path) -> None:
    """In a data set that is divided by domains and not by classes."""
    for dataset in ("digits", "pacs-across", "office-caltech10"):
        problem_of(Config(dataset=dataset), Path()).check_same_classes()
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    for config, name in (
        (Config(dataset="glyphs-renderings"), "glyphs-renderings"),
        (Config(dataset="glyphs-new-typefaces"), "glyphs-new-typefaces"),
        (Config(dataset="omniglot"), "omniglot"),
        (Config(data=str(folder)), "pictures"),
    ):
        with pytest.raises(
            UsageError,
            match=rf"^objective classify tests the classes .*, {name} has others in its test; pass",
        ):
            problem_of(config, tmp_path).check_same_classes()


# --- images without labels


def test_unlabeled_images_are_of_the_domains_training_part(several_domains: Path) -> None:
    problem = problem_of(replace(DIGITS, channels=3, size=32), several_domains)
    drawn = problem.unlabeled(("usps", "svhn"), seed=0)
    assert drawn.domain_names == ("usps", "svhn")
    assert len(drawn) == 2 * 10 * 9
    greys = [[shade(d, digit) for digit in range(10)] for d in ("usps", "svhn")]
    expected = torch.tensor(greys)[drawn.domains, drawn.labels]
    assert torch.equal(drawn.images[:, 0, 4, 16].long(), expected)
    again, other = (problem.unlabeled(("usps", "svhn"), seed=seed) for seed in (0, 1))
    assert torch.equal(again.images, drawn.images)
    assert not torch.equal(other.images, drawn.images)


def test_unlabeled_images_come_as_the_run_takes_them(several_domains: Path) -> None:
    colour, grey = (
        problem_of(replace(DIGITS, channels=c, size=16), several_domains).unlabeled(("usps",), 0)
        for c in (3, 1)
    )
    assert colour.images.shape[1:] == (3, 16, 16)
    assert grey.images.shape[1:] == (1, 16, 16)
    assert torch.equal(grey.images, colour.images[:, :1]), "grey pictures in three channels"


def test_no_more_unlabeled_images_than_are_needed(
    several_domains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNLABELED", 7)
    problem = problem_of(replace(DIGITS, channels=3, size=16), several_domains)
    assert len(problem.unlabeled(("usps",), seed=0)) == 7


def test_data_without_domains_have_no_unlabeled_images(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3, each=1)
    for config, name in ((Config(), "glyphs"), (Config(data=str(folder)), str(folder))):
        with pytest.raises(UsageError, match=r"is not divided by domains; .* \(RUN@adabn\)") as e:
            problem_of(config, tmp_path).unlabeled((), seed=0)
        assert str(e.value).startswith(name)
