import json
import re
from pathlib import Path
from typing import Any

import pytest
import running
import torch
from running import QUIET, command, finished, picture_folder, process, refused

from fewshot_film.config.config import FAMILIES
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.paired import paired
from fewshot_film.runs.trial import trial

pytestmark = pytest.mark.usefixtures("unchecked")


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


# --- parts


def test_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """Every family with every part, each with what is typed, and what it does."""
    assert command("parts") == 0
    out = capsys.readouterr().out
    assert [block.splitlines()[0] for block in out.split("\n\n")] == list(FAMILIES)
    for field, family in FAMILIES.items():
        assert command("parts", field) == 0
        one = capsys.readouterr().out
        assert one.strip() in out
        typed = [line[2:] for line in one.splitlines() if re.match(r"  \S", line)]
        assert [word.partition(":")[0] for word in typed] == list(family.names)
        assert [str(family.read(word)) for word in typed] == list(family.names)


def test_parts_of_a_family_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, 2, "parts", "nosuch")
    assert line.startswith("there is no family 'nosuch'; known: objective, adapter, conditioning, ")
    line = refused(capsys, 2, "parts", "conditionning")
    assert line.endswith("; did you mean 'conditioning'?")


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


@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(tmp_path: Path, trained: Path) -> None:
    """In this process and in another one."""
    words = ["evaluate", trained, "--episodes", 20, "--device", "cpu", "--json"]
    assert command(*words, tmp_path / "a.json") == 0
    assert finished(process(*words, tmp_path / "b.json"))[0] == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_threads_and_batches_do_not_matter(tmp_path: Path, trained: Path) -> None:
    words = ["evaluate", trained, "--episodes", 20, "--device", "cpu", "--json"]
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert command(*words, tmp_path / f"{count}.json") == 0
    finally:
        torch.set_num_threads(threads)
    first, second = (written(tmp_path / f"{count}.json")["accuracies"] for count in (1, 2))
    assert second == pytest.approx(first, abs=1e-6)
    put = trial(trained, Question(episodes=20), QUIET)
    for batch in (1, 3, 20):
        found = evaluate(put.classifier, put.sampler, 20, batch=batch)
        assert found.accuracies == pytest.approx(first, abs=1e-6)


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
    running.fitted(second, adapter="none", shot=1, test_way=2)
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


# --- domains


def on(root: Path, *words: object) -> list[object]:
    return ["--data-root", root, "--device", "cpu", "--episodes", 6, *words]


@pytest.mark.slow
def test_a_run_of_domains(on_mnist: Path) -> None:
    origin, test = written(on_mnist / "origin.json"), written(on_mnist / "test.json")
    assert origin["domains"] == ["mnist"]
    assert origin["classes"] == {"train": list("0123456789"), "val": list("0123456789")}
    protocol = test["protocol"]
    assert (protocol["domains"], protocol["known_classes"]) == ("mnist-m", 10)
    assert (protocol["trained_shot"], protocol["transductive"]) == (None, False)
    assert str(Protocol(**protocol)).endswith("inductive, known classes in domains never seen")
    assert set(test["groups"]) == {"mnist-m"}


def test_another_unseen_domain(
    tmp_path: Path, on_mnist: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = on(several_domains, "--domains", "usps,svhn", "--json", tmp_path / "x.json")
    assert command("evaluate", on_mnist, *words) == 0
    content, out = written(tmp_path / "x.json"), capsys.readouterr().out
    assert content["protocol"]["domains"] == "usps,svhn"
    assert set(content["groups"]) == {"usps", "svhn"}
    assert "digits test (usps, svhn): 3-way 1-shot" in out
    assert "known classes in domains never seen" in out


def test_known_domains_are_for_looking_at(
    tmp_path: Path, on_mnist: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked in ("mnist", "usps,mnist"):
        words = on(several_domains, "--domains", asked)
        line = refused(capsys, 2, "evaluate", on_mnist, *words)
        assert "was trained or validated on the domain 'mnist' of digits" in line
        assert "pass --split val to look at known ones" in line
    for asked, split in (("mnist", "val"), ("usps", "train")):
        file = tmp_path / f"{split}.json"
        words = on(several_domains, "--domains", asked, "--split", split, "--json", file)
        assert command("evaluate", on_mnist, *words) == 0
        assert set(written(file)["groups"]) == {asked}


def test_every_variant_of_a_run_on_the_same_episodes(
    tmp_path: Path, on_mnist: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = ("", "@adabn", "@adabn-query", "@adabn-domain", "@own+adabn")
    runs = [f"{on_mnist}{variant}" for variant in variants]
    words = on(several_domains, "--shot", 2, "--json", tmp_path / "x.json")
    assert command("compare", *runs, *words) == 0
    out, reports = capsys.readouterr().out, written(tmp_path / "x.json")["reports"]
    assert [report["run"] for report in reports] == runs
    assert all(report["group"] == reports[0]["group"] for report in reports)
    labels = [report["protocol"].pop("transductive") for report in reports]
    assert labels == [False, False, True, False, False]
    assert all(report["protocol"] == reports[0]["protocol"] for report in reports)
    assert re.search(rf"^{re.escape(runs[2])}: .* transductive", out, re.MULTILINE)
    assert re.search(rf"^{re.escape(runs[3])}: .* inductive", out, re.MULTILINE)
    accuracies = dict(zip(variants, (report["accuracies"] for report in reports), strict=True))
    assert accuracies["@own+adabn"] == accuracies["@adabn"], "there is no film to keep"
    words = on(several_domains, "--shot", 2, "--json", tmp_path / "y.json")
    assert command("evaluate", runs[3], *words) == 0
    assert written(tmp_path / "y.json")["accuracies"] == accuracies["@adabn-domain"]


@pytest.mark.slow
def test_a_domain_that_is_tested_whole(
    on_pacs: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """PACS's statistics are of pictures that are asked, and the report says so."""
    assert written(on_pacs / "origin.json")["domains"] == ["art_painting", "cartoon", "photo"]
    for variant, says in (("", "inductive"), ("@adabn-domain", "transductive")):
        assert command("evaluate", f"{on_pacs}{variant}", *on(several_domains)) == 0
        out = capsys.readouterr().out
        assert "pacs test (sketch): 3-way 1-shot, 1 queries a class, 6 episodes, seed 0" in out
        assert f" {says}, known classes in domains never seen" in out


@pytest.mark.slow
def test_a_run_of_domains_on_other_data(
    tmp_path: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = tmp_path / "run", picture_folder(tmp_path / "pictures", classes=4)
    words = ["--train-domains", "mnist", "--data-root", several_domains]
    changes = {"dataset": "digits", "shot": 1, "query": 1, "size": 16, "adapter": "none"}
    assert running.train(run, *words, **changes) == 0
    capsys.readouterr()
    for asked, says in (
        (["--data", folder, "--split", "all"], f"{folder} all: 3-way 1-shot"),
        (["--dataset", "pacs", "--domains", "photo"], "pacs test (photo): 3-way 1-shot"),
        (["--dataset", "glyphs", "--convert-channels"], "glyphs test: 3-way 1-shot"),
    ):
        assert command("evaluate", run, *on(several_domains, *asked)) == 0
        assert says in capsys.readouterr().out
    line = refused(capsys, 2, "evaluate", run, *on(several_domains, "--dataset", "pacs"))
    assert "name some of art_painting, cartoon, photo, sketch" in line
    assert "in an evaluation with --domains" in line
    grey = [f"{run}@adabn-domain", *on(several_domains, "--dataset", "glyphs")]
    line = refused(capsys, 2, "evaluate", *grey, "--convert-channels")
    assert line.startswith("glyphs is not divided by domains; adapt to the support set instead")


def test_a_run_that_classifies_on_other_classes(
    tmp_path: Path, on_mnist: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = picture_folder(tmp_path / "pictures")
    for asked in (["--data", folder], ["--dataset", "pacs", "--domains", "photo"]):
        words = on(several_domains, *asked)
        for what in ("evaluate", "audit"):
            line = refused(capsys, 2, what, on_mnist, *words)
            assert "has other classes than its 10, or has them in another order; test it" in line


def test_a_run_of_domains_goes_on(
    tmp_path: Path, on_mnist: Path, several_domains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setenv("FEWSHOT_FILM_DATA", str(several_domains))
    with monkeypatch.context() as patch:
        running.before_step(4, patch, running.cut)
        with pytest.raises(running.PowerCut):
            running.train(run, "--train-domains", "mnist", **running.CLASSIFY, dataset="digits")
    assert command("train", "--resume", "--out", run, "--device", "cpu") == 0
    running.assert_same(run, on_mnist)
    assert written(run / "origin.json")["domains"] == ["mnist"]
    a, b = (written(path / "test.json") for path in (run, on_mnist))
    assert (a["accuracies"], a["protocol"]) == (b["accuracies"], b["protocol"])


def test_what_a_training_says_of_its_steps(
    tmp_path: Path, several_domains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--test-domains", "usps", "--data-root", several_domains]
    changes = {**running.CLASSIFY, "dataset": "digits", "steps": 1}
    assert running.train(tmp_path / "run", *words, **changes) == 0
    out = capsys.readouterr().out
    assert "digits, none: 1 steps of 2 batches of 16 images; every 3 steps a checkpoint" in out
    assert "on domains never seen: " in out
    assert written(tmp_path / "run" / "origin.json")["domains"] == ["mnist", "mnist-m", "svhn"]


# --- audit


@pytest.fixture(scope="module")
def transductive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run whose norms take the moments of whatever is asked together."""
    out = tmp_path_factory.mktemp("runs") / "transductive"
    assert running.train(out, normalization="transductive") == 0
    return out


def audited(run: object, file: Path) -> dict[str, Any]:
    assert command("audit", run, "--episodes", 2, "--device", "cpu", "--json", file) == 0
    return written(file)


def test_an_inductive_run_is_cleared(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (str(trained), f"{trained}@adabn", f"{trained}@own+adabn"):
        content, out = audited(run, tmp_path / "x.json"), capsys.readouterr().out
        assert content["run"] == run
        assert content["transductive"] is content["protocol"]["transductive"] is False
        assert content["changed"] == 0
        assert content["moved"] < 1e-3
        together, *others = content["accuracies"].values()
        assert len(together) == 2
        assert all(other == together for other in others)
        assert "glyphs test: 3-way 2-shot, 2 queries a class, 2 episodes" in out
        assert out.endswith("inductive: no answer depends on the other queries\n")


@pytest.mark.slow
def test_a_transductive_run_is_flagged(
    tmp_path: Path, trained: Path, transductive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (str(transductive), f"{trained}@adabn-query"):
        content, out = audited(run, tmp_path / "x.json"), capsys.readouterr().out
        assert content["transductive"] is content["protocol"]["transductive"] is True
        assert content["moved"] > 1e-3
        verdict = out.strip().splitlines()[-1]
        share = f"{content['changed']:.1%} of them change with how they are asked"
        assert verdict.startswith("transductive: answers depend on the other queries")
        assert share in verdict
        assert verdict.endswith("do not compare its accuracy with an inductive one's")
        ways = content["accuracies"]
        assert list(ways) == ["together", "one by one", "one class at a time"]
        rows = [line for line in out.splitlines() if line.startswith("|")]
        assert [row.split("|")[1].strip() for row in rows[2:]] == [
            "all together",
            "one by one",
            "one class at a time",
        ]
        for row, values in zip(rows[2:], ways.values(), strict=True):
            assert f"{100 * sum(values) / 2:.2f} ± " in row


def test_a_transductive_run_is_labelled(
    tmp_path: Path, transductive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(transductive / "test.json")["protocol"]["transductive"] is True
    words = ["--episodes", 4, "--json", tmp_path / "x.json"]
    assert command("evaluate", transductive, *words) == 0
    assert "28x28x1 images, transductive" in capsys.readouterr().out
    assert written(tmp_path / "x.json")["protocol"]["transductive"] is True


def test_an_audit_asks_the_episodes_of_an_evaluation(tmp_path: Path, trained: Path) -> None:
    content = audited(trained, tmp_path / "x.json")
    words = ["--episodes", 2, "--device", "cpu", "--json", tmp_path / "y.json"]
    assert command("evaluate", trained, *words) == 0
    expected = written(tmp_path / "y.json")
    assert content["accuracies"]["together"] == pytest.approx(expected["accuracies"])
    assert content["protocol"] == expected["protocol"]
