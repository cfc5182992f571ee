"""What a frozen network reads: like the images in all else, found once, kept and found again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import foreign
import making
import photographs
import pytest
import torch
from making import seeded
from torch import Tensor

from fewshot_film.base.pixels import as_float
from fewshot_film.config import readings as module
from fewshot_film.config.catalog import Entry
from fewshot_film.config.problem import Problem
from fewshot_film.config.readings import Read, packed, reading_set, readings, unpacked
from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.source import DataSource
from fewshot_film.parts.conditioning import FiLM
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.extractor.necked import Necked
from fewshot_film.tasks import Mixture, Pool, class_or_domain
from fewshot_film.tasks.episode import Episode, LabeledSet, Sampler
from fewshot_film.tasks.plain import EpisodeSampler

DATA = making.image_set([9, 8, 9, 10, 9], domains=3, size=making.SIZE)
QUIET = {"progress": False}


@pytest.fixture(scope="module")
def net() -> Necked:
    """Tests must not change it."""
    return foreign.necked()


class Count:
    """How many images an extractor reads from now on, call by call."""

    def __init__(self, net: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = list[int]()
        self.real = net.read
        monkeypatch.setattr(net, "read", self.read)

    def read(self, images: Tensor) -> Tensor:
        self.calls.append(len(images))
        return self.real(images)


class Drawn:
    """A sampler that remembers how often it was asked."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.asked = sampler, 0
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query
        self.groups = sampler.groups

    def sample(self, tasks: int, rng: torch.Generator) -> Episode:
        self.asked += 1
        return self.sampler.sample(tasks, rng)


def same(a: Episode, b: Episode) -> bool:
    (first, _), (second, _) = ((packed(e), e.way) for e in (a, b))
    equal = (torch.equal(first[name], second[name]) for name in first)
    return first.keys() == second.keys() and a.way == b.way and all(equal)


# --- the images of a set


def test_a_set_stays_what_it_is_but_for_its_images(net: Necked, tmp_path: Path) -> None:
    found = reading_set(DATA, net, tmp_path, **QUIET)
    assert found.images.dtype == torch.float16
    assert found.images.shape == (len(DATA), net.reading_dim, 1, 1)
    assert torch.equal(found.labels, DATA.labels)
    assert torch.equal(found.domains, DATA.domains)
    assert (found.names, found.domain_names) == (DATA.names, DATA.domain_names)
    expected = net.read(as_float(DATA.images))
    torch.testing.assert_close(found.images.float(), expected, rtol=1e-3, atol=1e-5)


def test_batches_do_not_matter(
    net: Necked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reading_set(DATA, net, tmp_path / "a", **QUIET)
    monkeypatch.setattr(module, "BATCH", 7)
    count = Count(net, monkeypatch)
    parts = reading_set(DATA, net, tmp_path / "b", **QUIET)
    assert count.calls == [7] * 6 + [3]
    torch.testing.assert_close(parts.images, whole.images, rtol=1e-3, atol=1e-4)


def test_a_set_is_read_once_and_kept(
    net: Necked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it again, with a neck of another width or in another mode."""
    first = reading_set(DATA, net, tmp_path, **QUIET)
    for other in (net, foreign.necked(width=2).train()):
        count = Count(other, monkeypatch)
        again = reading_set(DATA, other, tmp_path, **QUIET)
        assert torch.equal(again.images, first.images)
        assert count.calls == []
    assert len(list((tmp_path / "decoded").iterdir())) == 1


def one_pixel_off() -> ImageSet:
    images = DATA.images.clone()
    images[5, 0, 3, 3] += 1
    return replace(DATA, images=images)


@pytest.mark.parametrize(
    ("data", "seed"),
    [
        (lambda: DATA, 1),
        (one_pixel_off, 0),
        (lambda: replace(DATA, labels=DATA.labels.flip(0)), 0),
        (lambda: replace(DATA, names=("a", *DATA.names[1:])), 0),
    ],
    ids=["network", "pixel", "labels", "names"],
)
def test_what_differs_is_kept_apart(
    data: Callable[[], ImageSet], seed: int, net: Necked, tmp_path: Path
) -> None:
    reading_set(DATA, net, tmp_path, **QUIET)
    other = reading_set(data(), foreign.necked(seed=seed), tmp_path, **QUIET)
    assert len(list((tmp_path / "decoded").iterdir())) == 2
    assert torch.equal(other.labels, data().labels)
    assert other.names == data().names


def test_grey_images_are_read_in_three_equal_channels() -> None:
    net = foreign.tiny(FiLM)
    grey, colour = making.pictures(3), making.pictures(3).expand(-1, 3, -1, -1)
    assert torch.equal(readings(grey, net), net.read(colour))


# --- tasks that change their images


@pytest.mark.parametrize("factors", [False, True])
def test_tasks_stay_what_they_are_but_for_their_images(
    factors: bool, net: Necked, tmp_path: Path
) -> None:
    plain = EpisodeSampler(DATA, 3, 1, 2)
    sampler: Sampler = class_or_domain(DATA, 2, 1, 2) if factors else plain
    read = Read(sampler, net, tmp_path)
    assert (read.way, read.shot, read.query) == (sampler.way, 1, 2)
    assert read.groups == sampler.groups
    found, expected = read.sample(2, seeded()), sampler.sample(2, seeded())
    assert found.way == expected.way
    assert torch.equal(found.class_ids, expected.class_ids)
    assert torch.equal(found.group, expected.group)
    for part, pictured in ((found.support, expected.support), (found.query, expected.query)):
        assert torch.equal(part.labels, pictured.labels)
        assert (part.factors is not None) == factors
        if part.factors is not None and pictured.factors is not None:
            assert torch.equal(part.factors, pictured.factors)
        by_hand = net.read(pictured.images.flatten(0, 1)).half().float()
        assert part.images.dtype == torch.float32
        torch.testing.assert_close(part.images.flatten(0, 1), by_hand, rtol=1e-3, atol=1e-5)


def test_the_second_to_ask_waits_no_more(
    net: Necked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn, nothing is read, and `rng` is left where the first one left it."""
    first, second = (Drawn(EpisodeSampler(DATA, 3, 1, 2)) for _ in range(2))
    rngs = [seeded(4) for _ in range(3)]
    made = Read(first, net, tmp_path).sample(2, rngs[0])
    again = Read(second, net, tmp_path)
    count = Count(net, monkeypatch)
    drawn = second.asked
    assert same(again.sample(2, rngs[1]), made)
    assert (second.asked, count.calls) == (drawn, [])
    first.sampler.sample(2, rngs[2])
    states = [rng.get_state() for rng in rngs]
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2]), "as the sampler alone leaves it"
    assert same(again.sample(2, rngs[1]), Read(first, net, tmp_path).sample(2, rngs[0]))


def test_another_state_or_number_of_tasks_is_another_batch(net: Necked, tmp_path: Path) -> None:
    read = Read(EpisodeSampler(DATA, 3, 1, 2), net, tmp_path)
    first = read.sample(2, seeded(0))
    assert not same(read.sample(2, seeded(1)), first)
    assert len(read.sample(3, seeded(0)).class_ids) == 3
    assert same(read.sample(2, seeded(0)), first)


OTHERS: dict[str, Callable[[], Sampler]] = {
    "way": lambda: EpisodeSampler(DATA, 4, 1, 2),
    "shot": lambda: EpisodeSampler(DATA, 3, 2, 2),
    "query": lambda: EpisodeSampler(DATA, 3, 1, 3),
    "data": lambda: EpisodeSampler(one_pixel_off().of_classes([4, 3, 2, 1, 0]), 3, 1, 2),
    "kind": lambda: class_or_domain(DATA, 3, 1, 2),
}


@pytest.mark.parametrize("other", OTHERS)
def test_two_samplers_share_no_folder(other: str, net: Necked, tmp_path: Path) -> None:
    one, two = (
        Read(EpisodeSampler(DATA, 3, 1, 2), net, tmp_path),
        Read(OTHERS[other](), net, tmp_path),
    )
    assert one.folder != two.folder
    one.sample(1, seeded())
    two.sample(1, seeded())
    assert len(list((tmp_path / "decoded").iterdir())) == 2


def test_two_networks_share_no_folder(net: Necked, tmp_path: Path) -> None:
    sampler = EpisodeSampler(DATA, 3, 1, 2)
    folders = {Read(sampler, foreign.necked(seed=s), tmp_path).folder for s in (0, 1)}
    assert len(folders) == 2
    assert Read(sampler, net, tmp_path).folder in folders


def test_what_is_damaged_is_made_again(net: Necked, tmp_path: Path) -> None:
    read = Read(EpisodeSampler(DATA, 3, 1, 2), net, tmp_path)
    first = read.sample(2, seeded())
    (file,) = read.folder.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert same(read.sample(2, seeded()), first)
    assert same(Read(read.sampler, net, tmp_path).sample(2, seeded()), first)


def test_a_folder_that_cannot_be_written_costs_time_alone(net: Necked, tmp_path: Path) -> None:
    (tmp_path / "decoded").write_text("a file where the folder would be")
    sampler, rng = EpisodeSampler(DATA, 3, 1, 2), seeded()
    first = Read(sampler, net, tmp_path).sample(2, rng)
    assert same(Read(sampler, net, tmp_path).sample(2, seeded()), first)
    assert torch.equal(first.class_ids, sampler.sample(2, seeded()).class_ids)


def test_sets_of_a_pool_are_read_once_each(
    net: Necked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(Read(EpisodeSampler(DATA, 3, 1, 2), net, tmp_path), 3)
    count = Count(net, monkeypatch)
    for step in range(30):
        assert pool.sample(2, seeded(step)).query.images.shape[2:] == (net.reading_dim, 1, 1)
    assert sum(count.calls) == 3 * 3 * (1 + 2)


def test_an_episode_packed_and_unpacked() -> None:
    given = class_or_domain(DATA, 2, 1, 2).sample(2, seeded())
    found = unpacked(packed(given), given.way, torch.device("cpu"))
    assert same(found, given)
    bare = replace(given, support=LabeledSet(given.support.images, given.support.labels))
    assert unpacked(packed(bare), 2, torch.device("cpu")).support.factors is None


# --- a problem that is read


def problem(loads: list[str], root: Path, renders: bool = False, channels: int = 1) -> Problem:
    def load(root: Path, split: str) -> ImageSet:
        del root
        loads.append(split)
        return DATA if channels == 1 else photographs.numbered([9] * 5, size=20)

    counts = dict.fromkeys(("train", "val", "test"), 5)
    source = DataSource("s", "", "", channels, 20, counts, counts, "", load, lambda _: True)
    kind = class_or_domain if renders else EpisodeSampler
    return Problem("s", Entry(source, "tasks", kind, renders=renders), making.SIZE, channels, root)


def test_a_problem_is_read_by_a_network_once(tmp_path: Path, net: Necked) -> None:
    """Each split; and what does not read leaves it as it is."""
    loads = list[str]()
    about = problem(loads, tmp_path)
    read = about.read_by(net, progress=False)
    assert about.read_by(foreign.necked(width=3), progress=False) is read
    assert about.read_by(foreign.necked(sites="last"), progress=False) is about
    assert about.read_by(foreign.necked(seed=1), progress=False) is not read
    for _ in range(2):
        for split in ("train", "test"):
            assert read.images(split).images.shape[1:] == (net.reading_dim, 1, 1)
            assert about.images(split).images.shape[1:] == (1, 16, 16)
    assert loads == ["train", "train", "test", "test"]


@pytest.mark.parametrize("renders", [False, True])
def test_tasks_of_a_problem_that_is_read(renders: bool, tmp_path: Path, net: Necked) -> None:
    """Of images that tasks change, every task is read; of others, every image."""
    about = problem([], tmp_path, renders)
    read = about.read_by(net, progress=False)
    data = read.images("train")
    assert data.images.dtype == (torch.uint8 if renders else torch.float16)
    sampler: Any = read.seen(EpisodeSampler(data, 3, 1, 2), data)
    assert isinstance(sampler, Read) == renders
    found = sampler.sample(2, seeded())
    expected = EpisodeSampler(about.images("train"), 3, 1, 2).sample(2, seeded())
    by_hand = net.read(expected.query.images.flatten(0, 1)).half().float()
    torch.testing.assert_close(found.query.images.flatten(0, 1), by_hand, rtol=1e-3, atol=1e-4)
    assert torch.equal(found.query.labels, expected.query.labels)


def test_grey_images_of_a_problem_are_read_in_colour(tmp_path: Path) -> None:
    net = foreign.tiny(FiLM)
    about = replace(problem([], tmp_path), channels=3, convert=True)
    read = about.read_by(net, progress=False).images("train")
    colour = as_float(DATA.images).expand(-1, 3, -1, -1)
    torch.testing.assert_close(read.images.float(), net.read(colour), rtol=1e-3, atol=1e-4)


def test_mixtures_are_read_too(tmp_path: Path, net: Necked) -> None:
    mixture = Mixture([EpisodeSampler(DATA, 3, 1, 2), class_or_domain(DATA, 3, 1, 2)])
    read = Read(mixture, net, tmp_path)
    assert read.groups == mixture.groups
    for step in range(4):
        found, expected = read.sample(2, seeded(step)), mixture.sample(2, seeded(step))
        assert torch.equal(found.group, expected.group)
        assert (found.support.factors is None) == (expected.support.factors is None)


def test_two_mixtures_that_begin_alike_share_no_folder(net: Necked, tmp_path: Path) -> None:
    """By their shares alone, or by a part that is drawn at times."""
    plain, labelled = EpisodeSampler(DATA, 3, 1, 2), class_or_domain(DATA, 3, 1, 2)
    mixtures = (
        Mixture([plain, plain, labelled], (0.5, 0.3, 0.2)),
        Mixture([plain, plain, labelled], (0.9, 0.05, 0.05)),
        Mixture([plain, plain, plain], (0.5, 0.3, 0.2)),
    )
    assert len({Read(mixture, net, tmp_path).folder for mixture in mixtures}) == 3
