"""The console command: train, evaluate, compare, audit, parts and datasets."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import tyro

from fewshot_film._version import __version__
from fewshot_film.cli.commands import Audit, Compare, Datasets, Evaluate, Parts, Train
from fewshot_film.cli.flags import Flags, flags_of
from fewshot_film.config.catalog import default_config
from fewshot_film.errors import FewShotError, UsageError
from fewshot_film.parts.extractor import trust

DESCRIPTION = """Few-shot learning with task-conditioned feature extractors.

With no flags, `fewshot-film train` meta-trains a FiLM extractor on the glyphs that ship with the
package. `fewshot-film COMMAND --help` explains a command; --version prints the version; --debug
shows the traceback of an error; --trust FILE.py lets that file run, for networks of your own
(--extractor file:FILE.py:FUNCTION)."""


Command: TypeAlias = Train | Evaluate | Compare | Audit | Parts | Datasets

HELP, TRUST = ("-h", "--help"), "--trust"
ARGUMENT = re.compile(r"`([a-z][a-z_]*)(?:=True|=([^`]*))?`")
"""An argument in a message, alone or with a value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0, 1 (failed), 2 (usage or bad input), or 130 after Ctrl-C, as shells have it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = without_trusted([word for word in words if word != "--debug"])
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


def without_trusted(words: Sequence[str]) -> list[str]:
    """The words without --trust FILE; those files may be run as code, since a person named them."""
    kept, left = [], iter(words)
    for word in left:
        if word != TRUST:
            kept.append(word)
        elif (file := next(left, None)) is not None:
            trust(file)
    return kept


def parse(words: Sequence[str]) -> Command:
    """Words -> the command; what is not typed is of the data set, or of the run to resume."""
    defaults = Train(Flags())
    if "train" in words[:1]:
        first = _parsed([word for word in words if word not in HELP], defaults)
        assert isinstance(first, Train)
        typed = first.flags
        network = {} if typed.extractor == Flags().extractor else {"extractor": typed.extractor}
        suits = first.resumed() or default_config(typed.dataset, typed.data, **network)
        defaults = Train(flags_of(suits))
    return _parsed(words, defaults)


def _parsed(words: Sequence[str], defaults: Train) -> Command:
    commands = (
        Annotated[Train, tyro.conf.subcommand("train", default=defaults)]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Compare, tyro.conf.subcommand("compare")]
        | Annotated[Audit, tyro.conf.subcommand("audit")]
        | Annotated[Parts, tyro.conf.subcommand("parts")]
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


def as_flags(message: str) -> str:
    """`test_way` -> --test-way: arguments, as the library names them, as a person types them."""

    def flag(found: re.Match[str]) -> str:
        name, value = "--" + found[1].replace("_", "-"), found[2]
        return f"{name} {value}" if value else name

    return ARGUMENT.sub(flag, message)


def _one_line(box: str) -> str:
    """The parser's framed complaint -> its words on one line, without the frame and its title."""
    lines = [line.strip("│╭╮╰╯─ ") for line in box.splitlines()]
    return " ".join([line for line in lines if line.strip("-")][1:])


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"fewshot-film: {' '.join(as_flags(message).split())}", file=sys.stderr)
    return code
