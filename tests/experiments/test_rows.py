"""What the recipes share: names of tests, data of a sitting, quick runs, and an encoder's bound."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import bringing
import making
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "experiments"))
import controls
import recipe
import rows
import told
from recipe import Problems, Recipe, Row, tasks

from fewshot_film.config.catalog import default_config
from fewshot_film.config.machine import Machine
from fewshot_film.config.protocol import Question
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation import ADAPTERS, Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.extractor import Extractor
from fewshot_film.tasks import class_or_domain
from fewshot_film.tasks.episode import LabeledSet

DATA = making.image_set([40, 44, 36, 48], domains=4, size=16)


# --- names


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (tasks(shot=3), "5w3s"),
        (tasks(way=2, domains="sketch"), "2w1s"),
        (tasks(dataset="fc100"), "fc100-5w1s"),
        (tasks(shot=10, dataset="pacs", domains="art_painting"), "pacs-art_painting-5w10s"),
        (tasks(dataset="pacs", domains="photo,sketch"), "pacs-5w1s"),
        (tasks(dataset="glyphs-new-typefaces", domains="new typefaces"),
         "glyphs-new-typefaces-new-typefaces-5w1s"),
    ],
)  # fmt: skip
def test_a_test_is_named_by_what_it_is_of(asked: Question, name: str) -> None:
    assert rows.test_name(asked) == name


def test_no_two_tests_of_a_row_have_one_name() -> None:
    import natural_labellings
    import photos
    import pretrained_objects

    modules = (natural_labellings, photos, pretrained_objects)
    for made in (*bringing.RECIPES, *(module.RECIPE for module in modules)):
        for row in made.rows:
            names = [rows.test_name(asked) for asked in row.tests]
            assert len(set(names)) == len(names), (made.name, row.name)
            assert not any(" " in name for name in names)


# --- data of a sitting


def test_rows_share_the_data_that_they_are_about() -> None:
    problems, config = Problems(Machine("cpu")), default_config("glyphs")
    own = problems.of(config, Question())
    assert problems.of(replace(config, seed=3, shot=1), Question(way=2)) is own
    assert problems.of(config, Question(dataset="glyphs-attributes")).name == "glyphs-attributes"
    alike = problems.of(config, Question(dataset="glyphs-attributes"))
    assert alike.images("val").images is own.images("val").images, "one copy of them"
    others = (
        (replace(config, size=32), Question()),
        (default_config("glyphs-characters"), Question()),
        (config, Question(dataset="glyphs-attributes")),
        (config, Question(convert_channels=True)),
    )
    assert len({id(problems.of(*other)) for other in others} | {id(own)}) == 5
    assert all(problems.of(*other) is problems.of(*other) for other in others)


def test_images_are_converted_for_the_rows_that_ask_for_it() -> None:
    """Those of a network that others trained, beside one's own on the same data."""
    problems = Problems(Machine("cpu"))
    foreign = default_config("omniglot", extractor="timm")
    own = replace(foreign, extractor="conv4")
    assert problems.of(foreign, Question()).convert
    assert not problems.of(own, Question()).convert


# --- quick runs


@pytest.mark.parametrize(
    ("extractor", "narrow"),
    [
        ("conv4:width=64", "conv4:width=4"),
        ("resnet12", "resnet12:width=4"),
        ("efficientnet-lite0:neck=256,sites=none", "efficientnet-lite0:neck=4,sites=none"),
        ("efficientnet-lite0", "efficientnet-lite0"),
    ],
)
def test_a_quick_run_is_of_a_narrow_network(extractor: str, narrow: str) -> None:
    row = Row("a", default_config("cifar-fs", extractor=extractor), (tasks(shot=10),) * 2)
    (short,) = recipe.shortened(Recipe("r", (row,))).rows
    assert short.config.extractor == narrow
    assert short.config.size == 32
    assert short.tests == (replace(row.tests[0], way=2, shot=5, query=1, episodes=3),)


# --- who is told, and controls


def asking(tasks_drawn: int = 8) -> tuple[LabeledSet, torch.Tensor]:
    """Support sets whose images admit two labellings, and which of them is the label."""
    drawn = class_or_domain(DATA, 3, 3, 2).sample(tasks_drawn, making.seeded(2))
    return drawn.support, drawn.group


class Unused(torch.nn.Module):
    """No one calls it."""

    def forward(self, *_: object) -> torch.Tensor:
        raise AssertionError


def test_who_is_told_knows_what_is_asked() -> None:
    support, asked = asking()
    found = told.Told(factors=4)(support, 3, Unused())
    assert torch.equal(found.argmax(1), asked)
    assert torch.equal(found.sum(1), torch.ones(8))
    assert found.shape == (8, 4)
    assert set(asked.tolist()) == {0, 1}


def test_who_is_not_told_is_refused() -> None:
    support, _ = asking()
    with pytest.raises(UsageError, match="tell no factors; take some whose nuisance is crossed"):
        told.Told()(replace(support, factors=None), 3, Unused())
    with pytest.raises(UsageError, match="give the whole set"):
        told.Told().summarise(torch.zeros(1, 2, 6), torch.zeros(1, 2, dtype=torch.int64), 2)


def test_parts_of_a_recipe_are_known_where_they_are_asked_for() -> None:
    assert told.NAME not in ENCODERS.parts
    with bringing.known():
        assert ENCODERS.read("told:factors=2")().embedding_dim == 2
        assert ADAPTERS.read("another-task").takes("own")
    assert told.NAME not in ENCODERS.parts
    assert controls.SHUFFLED not in ADAPTERS.parts


class Seeing(Adapter):
    """It remembers the labels that it is given; a task's parameter is its number."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = list[torch.Tensor]()

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        del way, extractor
        self.labels.append(support.labels)
        return {"site": {"gamma": torch.arange(len(support.labels)).float().unsqueeze(1)}}


def given(control: type[Any], support: LabeledSet) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels that the run's own adapter sees under a control, and what the control gives."""
    own = Seeing()
    found = control(own)(support, 3, making.extractor())
    return own.labels[0], found["site"]["gamma"].squeeze(1)


def test_the_same_images_are_asked_for_something_else() -> None:
    support, asked = asking()
    assert support.factors is not None
    labels, params = given(controls.OtherQuestion, support)
    for t, column in enumerate(asked.tolist()):
        assert torch.equal(labels[t], support.factors[t, :, 1 - column])
    assert torch.equal(params, torch.arange(8).float())


def test_labels_are_dealt_out_anew() -> None:
    support, _ = asking()
    labels, params = given(controls.ShuffledLabels, support)
    assert torch.equal(labels.sort(1).values, support.labels.sort(1).values)
    assert not torch.equal(labels, support.labels)
    one = replace(support, images=support.images[3:4], labels=support.labels[3:4], factors=None)
    assert torch.equal(given(controls.ShuffledLabels, one)[0], labels[3:4]), "whatever the batch"
    assert torch.equal(params, torch.arange(8).float())


def test_parameters_are_another_task_s() -> None:
    support, _ = asking()
    labels, params = given(controls.AnotherTask, support)
    assert torch.equal(labels, support.labels)
    assert torch.equal(params, torch.arange(8).float().roll(1))
