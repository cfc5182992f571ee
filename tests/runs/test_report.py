import json

import numpy as np
import pytest

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol
from fewshot_film.measure.accuracy import Evaluation
from fewshot_film.measure.paired import ci95
from fewshot_film.runs.report import Report, present_groups

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
        "domains": "",
        "query_draw": "balanced",
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
