from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.errors import UsageError

PROTOCOL = Protocol("d", "test", 5, 1, 3, 6, 0, 28, 1)


def test_the_protocol_as_a_line() -> None:
    line = "d test: 5-way 1-shot, 3 queries a class, 6 episodes, seed 0, 28x28x1 images, inductive"
    assert str(PROTOCOL) == line
    assert "3 queries a class, 1 episode, seed" in str(replace(PROTOCOL, episodes=1))


def test_the_protocol_says_how_queries_were_drawn() -> None:
    uniform = str(replace(PROTOCOL, query_draw="uniform"))
    assert "5-way 1-shot, 15 queries drawn uniformly, 6 episodes" in uniform


def test_the_protocol_names_domains() -> None:
    seen = replace(PROTOCOL, domains="a,b", known_classes=10)
    assert str(seen).startswith("d test (a, b): 5-way")
    assert str(seen).endswith("inductive, known classes in domains never seen")
    known = str(replace(seen, split="val"))
    assert known.endswith("10 of its classes were trained on or chosen by")
    assert str(replace(seen, known_classes=0)).endswith("inductive")


def test_a_protocol_of_an_earlier_version_is_read() -> None:
    values = asdict(PROTOCOL)
    for name in ("domains", "transductive", "trained_shot", "known_classes", "query_draw"):
        del values[name]
    assert Protocol(**values) == PROTOCOL


def test_the_protocol_of_a_config() -> None:
    """It is tested as it is trained, but for the way."""
    config = Config(way=9, test_way=4, shot=3, query=7, test_episodes=11, seed=5, size=32)
    found = Protocol.of(replace(config, channels=3), "val", ("a", "b"))
    assert asdict(found) == {
        "dataset": "glyphs",
        "split": "val",
        "way": 4,
        "shot": 3,
        "query": 7,
        "episodes": 11,
        "seed": 5,
        "image_size": 32,
        "channels": 3,
        "transductive": False,
        "trained_shot": None,
        "known_classes": 0,
        "domains": "a,b",
        "query_draw": "balanced",
    }
    assert found.tested_domains == ("a", "b")
    plain = Protocol.of(replace(config, data="some/folder"))
    assert (plain.dataset, plain.split, plain.tested_domains) == ("some/folder", "test", ())


# --- questions


def test_what_a_question_leaves_out_stays() -> None:
    expected = replace(PROTOCOL, split="val", episodes=1000)
    assert Question(split="val").over(PROTOCOL) == expected


def test_what_a_question_asks_takes_its_place() -> None:
    asked: dict[str, Any] = {"way": 7, "shot": 2, "query": 4, "episodes": 9, "seed": 3}
    asked |= {"split": "train", "query_draw": "uniform"}
    kept = replace(PROTOCOL, domains="a", known_classes=3)
    assert Question(**asked).over(kept) == replace(kept, **asked)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("way", 1, "1; it must be at least 2"),
        ("way", 0, "0; it must be at least 2"),
        ("way", True, "True; it must be a whole number"),
        ("way", "5", "'5'; it must be a whole number"),
        ("way", 2.5, "2.5; it must be a whole number"),
        ("shot", 0, "0; it must be at least 1"),
        ("query", -3, "-3; it must be at least 1"),
        ("episodes", 0, "0; it must be at least 1"),
        ("episodes", None, "None; it must be a whole number"),
        ("seed", -1, "-1; it must be at least 0"),
        ("seed", "x", "'x'; it must be a whole number"),
        ("split", 3, "3; it must be text"),
        ("dataset", 3, "3; it must be text"),
        ("domains", ("a",), "('a',); it must be text"),
        ("query_draw", "even", "'even'; it must be 'balanced' or 'uniform'"),
        ("convert_channels", 1, "1; it must be yes or no"),
    ],
)
def test_a_question_that_cannot_be_asked(name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError) as error:
        Question(**{name: value})
    assert str(error.value).startswith(f"`{name}` is {says}")


def test_a_question_is_about_one_thing() -> None:
    with pytest.raises(UsageError, match=r"^`dataset` a and `data` b were both given; pass one of"):
        Question(dataset="a", data="b")


def test_none_leaves_a_field_to_the_run() -> None:
    open_fields: dict[str, Any] = {f.name: None for f in fields(Question) if f.default is None}
    assert open_fields.keys() == {"dataset", "data", "domains", "way", "shot", "query"}
    assert Question(**open_fields) == Question()
