import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import running
from running import command, finished, process, refused

from fewshot_film import __version__
from fewshot_film.cli import commands
from fewshot_film.cli.commands import Train
from fewshot_film.cli.flags import config_of, default_out, flags_of
from fewshot_film.cli.main import as_flags, main, parse
from fewshot_film.config.catalog import default_config
from fewshot_film.config.config import FAMILIES, Config
from fewshot_film.config.machine import Machine
from fewshot_film.config.stored import to_json
from fewshot_film.errors import FewShotError, UsageError

pytestmark = pytest.mark.usefixtures("unchecked")

LITE = "efficientnet-lite0"
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
OTHERS = ("convert-channels", "device", "data-root", "no-progress")


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert command(*words, "--help") == 0
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


# --- help, version, errors


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys)
    names = ("train", "evaluate", "compare", "audit", "parts", "datasets")
    assert all(word in text for word in names)
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
    assert "FAMILY" in helped(capsys, "parts")


def test_help_names_what_there_is_to_choose(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "train").replace(" ", "")
    for field, family in FAMILIES.items():
        assert f"--{field.replace('_', '-')}{'|'.join(family.names)}" in text


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


def test_help_of_train_shows_what_suits_a_network_that_others_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = helped(capsys, "train", "--extractor", f"{LITE}:neck=16,sites=none")
    for flag, value in (("size", 128), ("channels", 3), ("head", "cosine"), ("learning", 0.001)):
        assert re.search(rf"--{flag}.*?\(default: {value}\)", text)
    assert "(default: feature-contrast)" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--extractor", LITE], "the images of glyphs get three equal channels, as the network t"),
        (["--dataset", "omniglot", "--extractor", LITE], "the images of omniglot get three equal"),
        (["--dataset", "cifar-fs", "--extractor", LITE], None),
        (["--data", "pictures", "--extractor", LITE], None),
        (["--dataset", "omniglot"], None),
    ],
)
def test_a_training_says_that_images_are_converted(
    words: list[str],
    says: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise FewShotError("seen")

    monkeypatch.setattr(commands, "train", stop)
    assert command("train", *words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + (says is not None)
    assert says is None or lines[1].startswith(says)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--version") == 0
    assert capsys.readouterr().out == f"fewshot-film {__version__}\n"


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({}, "glyphs-film-0"),
        ({"seed": 3, "conditioning": "gate"}, "glyphs-gate-3"),
        ({"adapter": "none"}, "glyphs-none-0"),
        ({"adapter": "safe:margin=0.1"}, "glyphs-safe-margin-0.1-0"),
        ({"adapter": "constant", "conditioning": "bias"}, "glyphs-constant-0"),
        ({"adapter": "adaptive-batch-norm"}, "glyphs-adaptive-batch-norm-0"),
        ({"adapter": "adaptive-batch-norm:prior=5"}, "glyphs-adaptive-batch-norm-prior-5.0-0"),
        ({"objective": "classify", "adapter": "none"}, "glyphs-none-0"),
        ({"data": "a/birds/"}, "birds-film-0"),
    ],
)
def test_default_out(changes: dict[str, Any], folder: str) -> None:
    assert default_out(Config(**changes)) == Path("runs") / folder


def config_typed(*words: object) -> Config:
    """The Config of a `train` command."""
    command = parse(["train", *map(str, words)])
    assert isinstance(command, Train)
    return config_of(command.flags, command.resumed())


def test_flags_become_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Config, Path, Machine, bool]] = []

    def remember(config: Config, out: Path, machine: Machine, *, resume: bool) -> None:
        seen.append((config, out, machine, resume))
        raise FewShotError("seen")

    monkeypatch.setattr(commands, "train", remember)
    assert command("train") == 1
    words = ["--dataset", "omniglot", "--seed", "4", "--way=7", "--out", tmp_path / "run"]
    words += ["--device", "cpu", "--data-root", tmp_path, "--no-progress", "--resume"]
    assert command("train", *words) == 1
    assert command("train", "--data", tmp_path, "--precision", "bfloat16") == 1
    assert seen[0] == (default_config("glyphs"), Path("runs/glyphs-film-0"), Machine(), False)
    config, *others = seen[1]
    assert config == default_config("omniglot", seed=4, way=7)
    assert others == [tmp_path / "run", Machine("cpu", tmp_path, False), True]
    folder = seen[2][0]
    assert folder == default_config(data=str(tmp_path), precision="bfloat16")
    assert (folder.data, folder.size) == (str(tmp_path), 84)


@pytest.mark.parametrize(
    "words",
    [
        ["--dataset", "omniglot", "--dataset", "glyphs"],
        ["--dataset=omniglot", "--dataset=glyphs"],
        ["--dataset", "omniglot", "--dataset=glyphs"],
        ["--dataset=cifar-fs", "--dataset", "omniglot", "--dataset", "glyphs"],
        ["--dataset", "glyphs"],
        ["--dataset=glyphs"],
        [],
    ],
)
def test_the_last_data_set_gives_all_the_defaults(words: list[str]) -> None:
    assert config_typed(*words) == default_config("glyphs")
    assert config_typed(*words, "--way", 7) == default_config("glyphs", way=7)
    assert config_typed("--way", 7, *words) == default_config("glyphs", way=7)


@pytest.mark.parametrize("last", [["--data", "b"], ["--data=b"], ["--data", "a", "--data=b"]])
def test_a_folder_gives_all_the_defaults(last: list[str]) -> None:
    assert config_typed(*last) == default_config(data="b")
    assert config_typed(*last, "--data", "c") == default_config(data="c")
    with pytest.raises(UsageError, match=r"^`dataset` omniglot and `data` b were both given; pass"):
        config_typed("--dataset", "omniglot", *last)


@pytest.mark.parametrize("dataset", ["glyphs", "omniglot", "digits"])
def test_every_flag_of_a_config_gives_it_back(dataset: str) -> None:
    config = default_config(dataset, extractor="resnet12:width=8,pooling=flat", seed=3)
    config = replace(config, clip_norm=0.5, head="cosine:learned=no", test_episodes=7)
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in asdict(config).items()
        if value is not None
    ]
    assert config_typed(*words) == config
    assert config_of(flags_of(config)) == config


def test_a_default_without_effect_goes_and_a_flag_without_effect_is_refused() -> None:
    assert config_typed("--adapter", "none") == default_config("glyphs", adapter="none")
    assert config_typed("--dataset=pacs", "--objective=classify").adapter == "none"
    with pytest.raises(UsageError, match=r"^`generator` is per-site, and adapter none generates"):
        config_typed("--adapter", "none", "--generator", "per-site")


@pytest.mark.parametrize("dataset", [None, "omniglot", "cifar-fs", "photo-attributes"])
def test_a_network_that_others_trained_is_typed_once(dataset: str | None) -> None:
    """It brings what suits it, wherever it stands; what is typed beside it is kept."""
    words = ["--dataset", dataset] if dataset else []
    typed, name = ["--extractor", f"{LITE}:neck=16,sites=none"], dataset or "glyphs"
    expected = default_config(name, extractor=typed[1])
    assert (expected.size, expected.channels, expected.head) == (128, 3, "cosine")
    assert config_typed(*words, *typed) == config_typed(*typed, *words) == expected
    assert config_typed(*typed, *words, "--size", 64, "--head", "ridge") == default_config(
        name, extractor=typed[1], size=64, head="ridge"
    )
    assert config_typed("--extractor=conv4:width=8", *words, *typed) == expected
    own = config_typed(*typed, *words, "--extractor", "conv4:width=8")
    assert own == default_config(name, extractor="conv4:width=8")


def test_a_folder_and_a_network_that_others_trained() -> None:
    config = config_typed("--data", "b", "--extractor", LITE)
    assert config == default_config(data="b", extractor=LITE)
    assert (config.size, config.augmentation) == (128, "none")


def test_resume_goes_on_with_the_network_of_the_run(tmp_path: Path) -> None:
    stored = default_config("omniglot", extractor=LITE, size=64)
    (tmp_path / "config.json").write_text(to_json(stored))
    assert config_typed("--resume", "--out", tmp_path) == stored


def test_resume_finds_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, the run's own folder is named by the flags and its config is the default."""
    monkeypatch.chdir(tmp_path)
    run = Path("runs/glyphs-none-4")
    run.mkdir(parents=True)
    stored = Config(adapter="none", seed=4, steps=17)
    (run / "config.json").write_text(to_json(stored))
    words = ["--adapter", "none", "--seed", "4"]
    assert config_typed(*words, "--resume") == stored
    assert config_typed(*words) == default_config("glyphs", adapter="none", seed=4)
    assert config_typed(*words, "--resume", "--steps", 9) == replace(stored, steps=9)


# --- messages


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("`way` is 0; it must be at least 2", "--way is 0; it must be at least 2"),
        ("pass a smaller `test_way`", "pass a smaller --test-way"),
        ("pass `resume=True` or another `out`", "pass --resume or another --out"),
        ("go on with `out=runs/a b`", "go on with --out runs/a b"),
        ("pass `split=val` to look", "pass --split val to look"),
        ("`extractor=conv4:width` is 0", "--extractor conv4:width is 0"),
        ("the class 'a_b' of `Some` set", "the class 'a_b' of `Some` set"),
        ("no argument here_is named", "no argument here_is named"),
    ],
)
def test_arguments_are_named_as_they_are_typed(said: str, typed: str) -> None:
    assert as_flags(said) == typed


def test_a_file_runs_only_where_it_is_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code is refused until --trust names it, and then it is run."""
    file = tmp_path / "own.py"
    file.write_text("raise SystemExit('it ran')")
    words = ["train", "--extractor", f"file:{file}", "--no-progress", "--out", str(tmp_path / "r")]
    assert main(words) == 2
    assert f"--trust {file}" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="it ran"):
        main([*words, "--trust", str(file)])
