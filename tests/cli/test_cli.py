from dataclasses import fields
from pathlib import Path

import pytest
import running
from running import command, finished, process, refused

from fewshot_film import __version__
from fewshot_film.cli import commands
from fewshot_film.cli.commands import Train, default_out
from fewshot_film.cli.main import parse
from fewshot_film.config.config import Config
from fewshot_film.config.catalog import default_config
from fewshot_film.config.stored import to_json
from fewshot_film.errors import FewShotError

EVALUATION = (
    "dataset",
    "data",
    "split",
    "domains",
    "way",
    "shot",
    "query",
    "episodes",
    "seed",
    "json",
)
OTHERS = ("convert-channels", "device", "data-root")


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert command(*words, "--help") == 0
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


# --- help, version, errors


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys)
    assert all(word in text for word in ("train", "evaluate", "compare", "audit", "datasets"))
    assert all(word in text for word in ("--version", "--debug"))
    assert command() == 0
    assert " ".join(capsys.readouterr().out.replace("│", " ").split()) == text


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    train = helped(capsys, "train")
    for name in (*(f.name for f in fields(Config)), "out", "resume", "device", "data_root"):
        assert f"--{name.replace('_', '-')} " in train
    for name in ("evaluate", "compare"):
        text = helped(capsys, name)
        assert all(f"--{flag} " in text for flag in (*EVALUATION, *OTHERS))
        assert "RUN" in text
        assert "@adabn" in text
        assert "95% interval" in text
        assert "1.96 s / sqrt(n)" in text
    assert "--data-root " in helped(capsys, "datasets")


def test_help_of_audit(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "audit")
    assert all(f"--{flag} " in text for flag in (*EVALUATION, *OTHERS))
    assert all(words in text for words in ("RUN", "@adabn", "one by one", "transductive"))
    assert "Tasks to draw. (default: 100)" in text


def test_help_of_domains_and_variants(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "evaluate")
    for variant in ("@adabn", "@adabn-query", "@adabn-domain", "@own+adabn"):
        assert f"RUN{variant} " in text
    text = helped(capsys, "train", "--dataset", "digits")
    assert "domains never seen" in text
    assert "(default: mnist-m)" in text


def test_help_of_compare_names_its_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "compare")
    for words in ("paired", "two-sided p-value", "sign-flip permutation test", "10,000"):
        assert words in text


def test_help_of_train_shows_the_data_set_s_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Classes a task. (default: 30)" in helped(capsys, "train", "--dataset", "omniglot")
    assert "Classes a task. (default: 5)" in helped(capsys, "train")
    text = helped(capsys, "train", "--data=some/folder")
    assert "(default: 84)" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--version") == 0
    assert capsys.readouterr().out == f"fewshot-film {__version__}\n"


def test_python_m() -> None:
    code, out, err = finished(process("evaluate", "/nowhere"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "/nowhere is not a run folder" in running.complaint(err)


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("evaluate", "/nowhere", "--debug") == 2
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("fewshot-film: /nowhere is not a run folder")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (RuntimeError("out of\nmemory"), 1, "RuntimeError: out of memory (--debug shows where)"),
        (OSError(5, "Input/output error", "x"), 1, "[Errno 5] Input/output error: 'x'"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_nobody_foresaw_is_one_line(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: commands.Datasets) -> None:
        raise error

    monkeypatch.setattr(commands.Datasets, "run", fail)
    assert says in refused(capsys, code, "datasets")


@pytest.mark.slow
def test_a_reader_that_went_away() -> None:
    """`fewshot-film datasets | head -0`."""
    child = process("datasets", code="import time; time.sleep(1)")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 1
    assert err == ""


# --- defaults


def test_default_out() -> None:
    assert default_out(Config(), "film", 3) == Path("runs/glyphs-film-3")
    assert default_out(Config(data="a/birds/"), "none", 0) == Path("runs/birds-none-0")


def test_flags_become_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []

    def remember(config: Config, out: Path, **others: object) -> None:
        del out, others
        seen.append(config)
        raise FewShotError("seen")

    monkeypatch.setattr(commands, "train", remember)
    assert command("train") == 1
    assert command("train", "--dataset", "omniglot", "--seed", "4", "--way=7") == 1
    assert command("train", "--data", tmp_path, "--precision", "bfloat16") == 1
    assert seen[0] == default_config("glyphs")
    assert (seen[1].seed, seen[1].way) == (4, 7)
    assert seen[1].steps == default_config("omniglot").steps
    assert seen[2].data == str(tmp_path)
    assert (seen[2].size, seen[2].precision) == (84, "bfloat16")


def test_resume_finds_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, the run's own folder is named by the flags and its config is the default."""
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    run = Path("runs/glyphs-none-4")
    run.mkdir()
    (run / "config.json").write_text(to_json(Config(conditioning="none", seed=4, steps=17)))
    words = ["train", "--conditioning", "none", "--seed", "4"]
    resumed, fresh = parse([*words, "--resume"]), parse(words)
    assert isinstance(resumed, Train)
    assert isinstance(fresh, Train)
    assert resumed.config.steps == 17
    assert fresh.config.steps != 17
