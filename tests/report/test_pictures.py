import io
from typing import Any

import making
import numpy as np
import pytest
from PIL import Image

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol
from fewshot_film.measure.accuracy import Evaluation
from fewshot_film.report import pictures
from fewshot_film.runs.report import Report
from fewshot_film.tasks import Mixture
from fewshot_film.tasks.plain import EpisodeSampler

SAMPLER = EpisodeSampler(making.image_set([8] * 6, size=making.SIZE), 3, 1, 4)


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).sum(2) < 30).sum())


@pytest.mark.parametrize("steps", [0, 1, 30])
def test_curves(steps: int) -> None:
    losses = [{"step": s, "loss": 2.0 / (s + 1), "accuracy": 0.5} for s in range(steps)]
    checks = [{"step": s, "val_accuracy": 0.5, "val_ci95": 0.1} for s in range(0, steps, 10)]
    metrics: list[dict[str, Any]] = [*losses, *checks]
    picture = decoded(pictures.curves(metrics))
    assert picture.shape[0] > 300
    assert picture.shape[1] > 900
    if steps:
        assert not np.array_equal(picture, decoded(pictures.curves([])))


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.slow
def test_episodes(groups: int) -> None:
    """What is right is framed in green, what is wrong in red."""
    sampler = Mixture([SAMPLER] * groups) if groups > 1 else SAMPLER
    model = making.classifier()
    picture = decoded(pictures.episodes(model, sampler, seed=0))
    assert min(picture.shape[:2]) > 300
    assert pixels(picture, pictures.GREEN) > 100
    assert pixels(picture, pictures.RED) > 100
    assert np.array_equal(picture, decoded(pictures.episodes(model, sampler, seed=0)))
    assert not np.array_equal(picture, decoded(pictures.episodes(model, sampler, seed=1)))


def test_comparison_bars() -> None:
    rng, protocol = np.random.default_rng(0), Protocol("d", "test", 5, 1, 3, 20, 0, 28, 1)
    group, groups = np.arange(20) % 4, ("a", "b", "c", "d")
    reports = [
        Report(name, Config(), protocol, Evaluation(rng.random(20), group, groups), {})
        for name in ("one", "two", "three")
    ]
    picture = decoded(pictures.comparison_bars(reports))
    assert min(picture.shape[:2]) > 300
    assert not np.array_equal(
        picture[:, :300], decoded(pictures.comparison_bars(reports[:1]))[:, :300]
    )
