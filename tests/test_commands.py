import json
import re
from pathlib import Path
from typing import Any

import pytest
import running
import torch
from running import command, finished, picture_folder, process

from fewshot_film import evaluation
from fewshot_film.evaluation import paired


def written(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


# --- datasets


def test_datasets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("datasets", "--data-root", tmp_path) == 0
    out = capsys.readouterr().out
    rows = {line.split("|")[1].strip(): line for line in out.splitlines() if line[:1] == "|"}
    assert rows.keys() >= {"glyphs", "omniglot", "omniglot-lake", "cifar-fs", "fc100"}
    assert "present" in rows["glyphs"]
    assert "4112 / 688 / 1692" in rows["omniglot"]
    assert "MIT" in rows["omniglot"]
    assert "downloads 14 MB at first use" in rows["omniglot"]
    assert "8981 / 1010 / 9991" in rows["pacs"]
    assert "have it as pacs/<domain>/<class>/<picture>" in rows["pacs-across"]
    assert f"data root: {tmp_path}" in out
    for folder in ("images_background", "images_evaluation"):
        (tmp_path / "omniglot" / folder).mkdir(parents=True)
    assert command("datasets", "--data-root", tmp_path) == 0
    assert re.search(r"omniglot .*present", capsys.readouterr().out)


# --- evaluate


def test_evaluate_writes_what_it_measured(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "result.json"
    words = ["--episodes", 30, "--seed", 5, "--split", "val", "--json", file]
    assert command("evaluate", trained, *words) == 0
    content = written(file)
    keys = {"accuracy", "ci95", "episodes", "accuracies", "protocol", "run"}
    assert content.keys() >= keys
    accuracies = torch.tensor(content["accuracies"], dtype=torch.float64)
    assert content["episodes"] == len(accuracies) == 30
    assert ((accuracies >= 0) & (accuracies <= 1)).all()
    assert content["accuracy"] == pytest.approx(accuracies.mean().item())
    assert content["ci95"] == pytest.approx(1.96 * accuracies.std().item() / 30**0.5)
    assert content["run"] == str(trained)
    protocol = content["protocol"]
    expected = {"dataset": "glyphs", "split": "val", "way": 3, "shot": 2, "query": 2, "seed": 5}
    assert protocol.items() >= expected.items()
    assert protocol["transductive"] is False
    out = capsys.readouterr().out
    assert "glyphs val: 3-way 2-shot, 2 queries a class, 30 episodes, seed 5" in out
    assert f"{100 * content['accuracy']:.2f} ± {100 * content['ci95']:.2f}" in out


def test_the_same_command_gives_the_same_bytes(tmp_path: Path, trained: Path) -> None:
    words = ["evaluate", trained, "--episodes", 20, "--device", "cpu", "--json"]
    children = [process(*words, tmp_path / name) for name in ("a.json", "b.json")]
    assert [finished(child)[0] for child in children] == [0, 0]
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_threads_and_batches_do_not_matter(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", trained, "--episodes", 20, "--device", "cpu", "--json"]
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert command(*words, tmp_path / f"{count}.json") == 0
    finally:
        torch.set_num_threads(threads)
    assert command(*words, tmp_path / "16.json") == 0
    monkeypatch.setattr(
        evaluation.evaluate,
        "__kwdefaults__",
        {**(evaluation.evaluate.__kwdefaults__ or {}), "batch": 3},
    )
    assert command(*words, tmp_path / "3.json") == 0
    results = [written(tmp_path / f"{name}.json")["accuracies"] for name in (1, 2, 16, 3)]
    for other in results[1:]:
        assert other == pytest.approx(results[0], abs=1e-6)


def test_adaptive_batch_norm_by_name(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--episodes", 20, "--json"]
    assert command("evaluate", trained, *words, tmp_path / "own.json") == 0
    assert command("evaluate", f"{trained}@adabn", *words, tmp_path / "other.json") == 0
    own, other = written(tmp_path / "own.json"), written(tmp_path / "other.json")
    assert other["run"] == f"{trained}@adabn"
    assert own["accuracies"] != other["accuracies"]
    assert own["group"] == other["group"]
    assert "@adabn" in capsys.readouterr().out


def test_on_a_folder_of_other_pictures(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grey pictures of another size and shape; the colours tell the classes apart."""
    folder = picture_folder(tmp_path / "pictures", classes=4, mode="L", size=50)
    words = ["--data", folder, "--split", "all", "--way", 4, "--shot", 1, "--query", 3]
    words += ["--episodes", 10, "--data-root", tmp_path, "--json", tmp_path / "x.json"]
    assert command("evaluate", trained, *words) == 0
    assert "28x28x1 images" in capsys.readouterr().out
    protocol = written(tmp_path / "x.json")["protocol"]
    assert protocol["dataset"] == str(folder)
    assert (protocol["image_size"], protocol["channels"], protocol["way"]) == (28, 1, 4)


# --- compare


def test_compare(tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = tmp_path / "second"
    assert running.train(second, conditioning="none", shot=1, test_way=2) == 0
    runs = [str(trained), str(second), f"{second}@adabn"]
    capsys.readouterr()
    assert command("compare", *runs, "--episodes", 24, "--json", tmp_path / "x.json") == 0
    out, content = capsys.readouterr().out, written(tmp_path / "x.json")
    assert [row["run"] for row in content["rows"]] == runs
    reports = content["reports"]
    shots = [r["protocol"].pop("trained_shot") for r in reports]
    assert shots == [2, 1, 1]
    assert f"{second}: glyphs test: 3-way 2-shot (trained with 1-shot tasks)" in out
    assert all(r["protocol"].items() <= content["protocol"].items() for r in reports)
    assert all(r["group"] == reports[0]["group"] for r in reports)
    assert (content["protocol"]["way"], content["protocol"]["shot"]) == (3, 2)
    assert "difference" not in content["rows"][0]
    values = [torch.tensor(r["accuracies"], dtype=torch.float64).numpy() for r in reports]
    for row, own in zip(content["rows"][1:], values[1:], strict=True):
        expected = paired(values[0], own)
        assert row["difference"]["mean"] == pytest.approx(expected.mean, abs=1e-8)
        assert row["difference"]["ci95"] == pytest.approx(expected.ci95, abs=1e-8)
        assert row["difference"]["p"] == pytest.approx(expected.p, abs=1e-3)
        cell = f"{100 * expected.mean:+.2f} ± {100 * expected.ci95:.2f}"
        assert re.search(rf"{re.escape(row['run'])} .*{re.escape(cell)} .*[01]\.\d{{4}}", out)
    assert command("evaluate", trained, "--episodes", 24, "--json", tmp_path / "y.json") == 0
    assert written(tmp_path / "y.json")["accuracies"] == reports[0]["accuracies"]


def test_a_run_compared_with_itself(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("compare", trained, trained, "--episodes", 8, "--json", tmp_path / "x.json") == 0
    change = written(tmp_path / "x.json")["rows"][1]["difference"]
    assert change == {"mean": 0.0, "ci95": 0.0, "p": 1.0}
    assert "+0.00 ± 0.00" in capsys.readouterr().out
