import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import running
import torch
from PIL import Image
from running import QUIET, Count, command, finished, flags, picture_folder, process

import fewshot_film as ff
from fewshot_film.config.problem import problem_of

pytestmark = pytest.mark.usefixtures("unchecked")

FILES = {
    "config.json",
    "origin.json",
    "metrics.jsonl",
    "best.safetensors",
    "last.safetensors",
    "test.json",
    "curves.png",
    "episodes.png",
}


@pytest.mark.slow
def test_the_run_folder(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} - {".lock"} == FILES
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [(r["step"], "loss" in r) for r in records] == [
        (3, True), (3, False), (6, True), (6, False)
    ]  # fmt: skip
    test = json.loads((trained / "test.json").read_text())
    assert test["protocol"]["split"] == "test"
    assert test["episodes"] == len(test["accuracies"]) == 6
    for name in ("curves.png", "episodes.png"):
        with Image.open(trained / name) as picture:
            picture.load()
            assert min(picture.size) > 300
            assert np.asarray(picture.convert("L")).std() > 10


def test_the_test_is_what_evaluate_says(tmp_path: Path, trained: Path) -> None:
    file = tmp_path / "x.json"
    assert command("evaluate", trained, "--episodes", 6, "--json", file) == 0
    a, b = (json.loads(path.read_text()) for path in (file, trained / "test.json"))
    assert a["accuracies"] == b["accuracies"]
    assert a["protocol"] == b["protocol"]


def test_train_in_python(tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on the command line; it is silent from the steps to the pictures if it is asked to be."""
    capsys.readouterr()
    run = ff.train(ff.default_config(**running.SHORT), tmp_path / "run", QUIET)
    assert capsys.readouterr() == ("", "")
    assert run.curves_file.read_bytes() == (trained / "curves.png").read_bytes()
    running.assert_same(run.path, trained)
    assert run.test()["accuracies"] == ff.Run(trained).test()["accuracies"]
    report = ff.evaluate_run(run.path, ff.Question(episodes=6))
    assert report.evaluation.accuracies == pytest.approx(run.test()["accuracies"])


def test_load_adapt_classify(trained: Path) -> None:
    """The same weights, and the same answers as the evaluation gives."""
    model = ff.load(trained)
    assert not model.training
    images = problem_of(ff.Run(trained).config(), Path()).images("test").images
    support, queries = images[:6], images[6:10]
    task = model.adapt(support, ["b", "b", "a", "a", "c", "c"])
    answers = task.classify(queries)
    assert len(answers) == 4
    assert set(answers) <= {"a", "b", "c"}
    labels = torch.tensor([[1, 1, 0, 0, 2, 2]])
    scaled = ff.LabeledSet(support[None] / 255, labels)
    query = ff.LabeledSet(queries[None] / 255, torch.zeros(1, 4, dtype=torch.int64))
    episode = ff.Episode(scaled, query, 3, torch.zeros(1, 3).long(), torch.zeros(1).long())
    with torch.no_grad():
        expected = model(episode)[0].argmax(1)
    assert answers == ["abc"[i] for i in expected.tolist()]


@pytest.mark.slow
def test_your_own_pictures_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes that differ in colour are learned in a moment, and told apart in a second folder."""
    folder, run = picture_folder(tmp_path / "pictures"), tmp_path / "run"
    words = flags(steps=20, validate_every=10, size=20, shot=1, test_episodes=50)
    root = ["--data-root", tmp_path / "root"]
    assert command("train", *words, "--data", folder, "--out", run, *root) == 0
    assert ff.Run(run).test()["accuracy"] > 0.6
    assert (run / "episodes.png").exists()
    shown = capsys.readouterr()
    assert f"next: fewshot-film evaluate {run}" in shown.out
    assert all(f"{bar}: " in shown.err for bar in ("train", "evaluate")), "progress is shown"
    other = picture_folder(tmp_path / "other", classes=3, size=33)
    on = ["--data", other, "--split", "all", "--episodes", 5, *root]
    assert command("evaluate", run, *on) == 0
    assert "20x20x3 images" in capsys.readouterr().out


@pytest.mark.slow
def test_without_matplotlib(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from importlib.machinery import PathFinder
        real = PathFinder.find_spec
        def find_spec(name, path=None, target=None):
            hidden = name.partition(".")[0] in ("matplotlib", "sklearn")
            return None if hidden else real(name, path, target)
        PathFinder.find_spec = find_spec
        assert __import__("importlib.util").util.find_spec("matplotlib") is None"""
    run = tmp_path / "run"
    exit_code, out, err = finished(process("train", *flags(), "--out", run, code=code))
    assert exit_code == 0, err
    assert 'no pictures: pip install "fewshot_film[plot]"' in err
    assert "on classes never seen" in out
    assert {p.name for p in run.iterdir()} - {".lock"} == FILES - {"curves.png", "episodes.png"}


def test_a_folder_is_listed_once_and_a_picture_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the whole of a training with its test and pictures, where nothing was decoded before."""
    folder = picture_folder(tmp_path / "pictures")
    places, pictures = [folder, *folder.iterdir()], [*folder.rglob("*.png")]
    config = ff.default_config(data=str(folder), **running.SHORT | {"steps": 1, "size": 20})
    count = Count(folder, monkeypatch)
    run = ff.train(config, tmp_path / "run", replace(QUIET, data_root=tmp_path / "root"))
    assert run.test_file.exists()
    assert run.episodes_file.exists()
    assert count.listings == Counter(places)
    assert count.openings == Counter(pictures)
