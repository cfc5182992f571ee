"""The console command: train, evaluate, compare, audit and datasets."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import tyro

from fewshot_film._version import __version__
from fewshot_film.cli.commands import Audit, Compare, Datasets, Evaluate, Train, default_out
from fewshot_film.config.config import Config, default_config
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.runs.run import Run

DESCRIPTION = """Few-shot learning with task-conditioned feature extractors.

With no flags, `fewshot-film train` meta-trains a FiLM extractor on the glyphs that ship with the
package. `fewshot-film COMMAND --help` explains a command; --version prints the version; --debug
shows the traceback of an error."""


Command: TypeAlias = Train | Evaluate | Compare | Audit | Datasets


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0, 1 (failed), 2 (usage or bad input), or 130 after Ctrl-C, as shells have it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if words == ["--version"]:
        print(f"fewshot-film {__version__}")
        return 0
    try:
        parse(words).run()
    except FewShotError as error:
        return _fail(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        return _fail("interrupted", 130, debug)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # out of memory, for one; a person sees one line of any of them
        return _fail(f"{type(error).__name__}: {error} (--debug shows where)", 1, debug)
    return 0


def parse(words: Sequence[str]) -> Command:
    """Words -> the command, its defaults those of the data set or of the run to resume."""
    commands = (
        Annotated[Train, tyro.conf.subcommand("train", default=Train(_defaults(words)))]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Compare, tyro.conf.subcommand("compare")]
        | Annotated[Audit, tyro.conf.subcommand("audit")]
        | Annotated[Datasets, tyro.conf.subcommand("datasets")]
    )
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            command: Command = tyro.cli(
                commands,
                prog="fewshot-film",
                description=DESCRIPTION,
                args=list(words) or ["--help"],
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(complaint.getvalue())) from stop
    return command


def _defaults(words: Sequence[str]) -> Config:
    """The config of the run to resume; otherwise what suits the data set that was asked for."""
    if "train" not in words[:1]:
        return Config()
    config = default_config(_value(words, "--dataset") or Config().dataset, _value(words, "--data"))
    out = _value(words, "--out") or default_out(
        config,
        _value(words, "--conditioning") or config.conditioning,
        _value(words, "--seed") or config.seed,
    )
    if "--resume" in words and Run(out).config_file.exists():
        return Run(out).config()
    return config


def _value(words: Sequence[str], flag: str) -> str | None:
    """The word after `flag`, or behind its equals sign."""
    for i, word in enumerate(words):
        if word == flag and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(flag + "="):
            return word.removeprefix(flag + "=")
    return None


def _one_line(box: str) -> str:
    """The parser's framed complaint -> its words on one line, without the frame and its title."""
    lines = [line.strip("│╭╮╰╯─ ") for line in box.splitlines()]
    return " ".join([line for line in lines if line.strip("-")][1:])


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"fewshot-film: {' '.join(message.split())}", file=sys.stderr)
    return code
