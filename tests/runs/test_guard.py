import json
from pathlib import Path

import making
import pytest
import running
import torch
from torch import nn

from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Question
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.sanity import check_evaluating
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.normalization import BatchNorm
from fewshot_film.runs.guard import check_same_classes, check_unseen, known_classes
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run
from fewshot_film.tasks.plain import EpisodeSampler

PLACE = {"torch": "x"}


def run_on(path: Path, train: list[str], val: list[str]) -> Run:
    path.mkdir(exist_ok=True)
    run = Run(path)
    run.note_origin(PLACE, {"train": train, "val": val})
    return run


def test_classes_seen_before_are_named(tmp_path: Path) -> None:
    run = run_on(tmp_path, ["a", "b"], ["c"])
    check_unseen(run, "set", ["d", "e"])
    assert known_classes(run, ["d", "b", "c"]) == ["b", "c"]
    with pytest.raises(UsageError, match=r"on 2 of the 3 test classes of set, 'b' among them"):
        check_unseen(run, "set", ["d", "c", "b"])


def test_a_second_place_is_kept_beside_the_first(tmp_path: Path) -> None:
    run = run_on(tmp_path, ["a"], [])
    run.note_origin(PLACE, {"train": ["a"], "val": []})
    run.note_origin({"torch": "y"}, {"train": ["b"], "val": ["c"]})
    assert run.environments() == [PLACE, {"torch": "y"}]
    assert run.classes() == {"a", "b", "c"}, "a folder that changed between sittings"
    run.note_origin(PLACE, {"train": ["d"], "val": []})
    assert run.classes() == {"a", "b", "c", "d"}


def test_a_run_that_does_not_say_its_classes_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running.copy(trained, tmp_path / "run")
    (run / "origin.json").unlink()
    line = running.refused(capsys, 2, "evaluate", run, "--episodes", 2)
    assert "does not say on which classes it was trained" in line
    (run / "origin.json").write_text('{"classes"')
    assert "restore the file" in running.refused(capsys, 2, "evaluate", f"{run}@adabn")


def test_a_run_knows_its_classes_and_its_place(trained: Path) -> None:
    run = Run(trained)
    assert len(run.classes()) > 2000
    assert [place["fewshot_film"] for place in run.environments()]
    assert run.test()["trained"] == run.environments()


def test_a_test_on_trained_classes_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where a person's folder for the test holds a class of the training."""
    run = running.copy(trained, tmp_path / "run")
    content = json.loads((run / "origin.json").read_text())
    content["classes"]["train"].append("class01")
    (run / "origin.json").write_text(json.dumps(content))
    pictures = tmp_path / "pictures"
    running.picture_folder(pictures / "test", classes=3, mode="L")
    words = ["evaluate", run, "--data", pictures, "--way", 2, "--episodes", 2]
    line = running.refused(capsys, 2, *words)
    assert "on 1 of the 3 test classes" in line
    assert "'class01' among them" in line


def test_training_classes_can_be_looked_at(trained: Path) -> None:
    counts = [
        evaluate_run(trained, Question(split=split, episodes=2)).protocol.known_classes
        for split in ("train", "val")
    ]
    assert sum(counts) == len(Run(trained).classes())
    report = evaluate_run(trained, Question(split="val", episodes=2))
    assert str(report.protocol).endswith(f"{counts[1]} of its classes were trained on or chosen by")


def test_another_shot_is_said(trained: Path) -> None:
    report = evaluate_run(trained, Question(shot=1, episodes=2))
    assert "1-shot (trained with 2-shot tasks)" in str(report.protocol)
    assert "trained with" not in str(evaluate_run(trained, Question(episodes=2)).protocol)


class Stubborn(nn.Module):
    """Normalises by the batch at hand, whatever the mode."""

    def train(self, mode: bool = True) -> "Stubborn":
        del mode
        return super().train(True)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h


def test_a_module_that_stays_in_training_mode_is_found() -> None:
    model = making.classifier(adapter="none")
    model.features.extractor.add_module("stubborn", Stubborn())
    with pytest.raises(FewShotError, match=r"features.extractor.stubborn stays in training mode"):
        evaluate(model, sampler(), 2)


def test_a_norm_without_running_statistics_is_found() -> None:
    model: FewShotClassifier = making.classifier(adapter="none")
    check_evaluating(model)
    site = model.features.extractor.sites()["block2"]
    assert isinstance(site.norm, BatchNorm)
    site.norm.batch_norm = nn.BatchNorm2d(4, track_running_stats=False).eval()
    with pytest.raises(
        FewShotError, match=r"blocks.1.site.norm.batch_norm has no running statistics"
    ):
        check_evaluating(model)


def sampler() -> EpisodeSampler:
    data: ImageSet = making.image_set([6] * 4, size=making.SIZE)
    return EpisodeSampler(data, 2, 1, 1)


# --- domains


def run_on_domains(path: Path, *domains: str) -> Run:
    run = Run(path)
    run.note_origin(PLACE, {"train": ["a", "b"], "val": ["a", "b"]}, domains)
    return run


def test_a_domain_seen_before_is_refused_beside_new_ones(tmp_path: Path) -> None:
    run = run_on_domains(tmp_path, "x", "y")
    check_unseen(run, "set", ["a", "b"], ("z",))
    for asked in (("x",), ("z", "x"), ("x", "z")):
        with pytest.raises(
            UsageError,
            match=r"was trained or validated on the domain 'x' of set; test on another with "
            "`domains`, or pass `split=val` to look at known ones",
        ):
            check_unseen(run, "set", ["a", "b"], asked)


def test_known_classes_need_a_domain_that_is_new(tmp_path: Path) -> None:
    """Where the data are not divided by domains, the same classes are no test."""
    with pytest.raises(UsageError, match="on 2 of the 2 test classes of folder, 'a' among them"):
        check_unseen(run_on_domains(tmp_path, "x"), "folder", ["a", "b"])


def test_domains_of_every_sitting_are_kept(tmp_path: Path) -> None:
    run = run_on_domains(tmp_path, "y", "x")
    assert run.domains() == {"x", "y"}
    run_on_domains(tmp_path, "z")
    assert run.domains() == {"x", "y", "z"}


def test_an_origin_of_an_earlier_version_has_no_domains(tmp_path: Path) -> None:
    run = run_on(tmp_path, ["a"], ["b"])
    content = json.loads(run.origin_file.read_text())
    del content["domains"]
    run.origin_file.write_text(json.dumps(content))
    assert run.domains() == frozenset()
    run.note_origin({"torch": "y"}, {"train": ["a"], "val": []}, ["x"])
    assert run.domains() == {"x"}


def test_a_run_that_classifies_is_asked_for_its_own_classes(tmp_path: Path) -> None:
    run = run_on_domains(tmp_path, "x")
    for objective in ("classify", "classify:images=16"):
        run.create(Config(objective=objective, adapter="none"))
        check_same_classes(run, "set", ["a", "b"])
        for names in (["a"], ["a", "b", "c"], ["a", "c"], ["b", "a"]):
            with pytest.raises(
                UsageError,
                match=r"trained with objective classify, and set has other classes than its 2, or",
            ):
                check_same_classes(run, "set", names)
    run.create(Config())
    check_same_classes(run, "set", ["c"])


def test_known_classes_of_a_run_without_domains(tmp_path: Path) -> None:
    """Nothing says that the classes it knows were seen in another domain."""
    run = run_on(tmp_path / "run", ["dog", "cat"], ["horse"])
    with pytest.raises(UsageError, match="was trained or validated on 1 of the 2 test classes"):
        check_unseen(run, "pacs", ["dog", "house"], ["photo"])
