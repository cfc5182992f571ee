"""The commands: their flags, which are their fields, and what they do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from fewshot_film.base.files import write_atomic
from fewshot_film.cli.flags import Flags, config_of, default_out, label
from fewshot_film.config.catalog import ENTRIES, entry, foreign
from fewshot_film.config.config import Config
from fewshot_film.config.machine import HERE, Machine
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.data.root import data_root
from fewshot_film.errors import UsageError
from fewshot_film.measure.audit import audit
from fewshot_film.model.objective import OBJECTIVES
from fewshot_film.report.catalogue import parts_listing
from fewshot_film.report.pictures import can_draw, comparison_bars
from fewshot_film.report.tables import (
    audit_json,
    audit_table,
    comparison_json,
    difference_table,
    group_table,
    percent,
    protocol_lines,
    table,
)
from fewshot_film.report.train import train
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.run import Run, load_run
from fewshot_film.runs.trial import trial
from fewshot_film.runs.variants import named


@dataclass(frozen=True)
class Train:
    """Meta-train on a data set's training classes, choose by its validation classes, and test on
    classes never seen; or, of a data set that is divided by domains, on domains never seen.

    Each data set has its own good defaults: `fewshot-film train --dataset omniglot --help` shows
    Omniglot's. The run folder holds config.json, metrics.jsonl, best.safetensors (best by
    validation), last.safetensors (to go on from), test.json, curves.png and episodes.png. Ctrl-C
    saves before it stops."""

    flags: Annotated[Config, tyro.conf.arg(name="", constructor=Flags)]
    out: Path | None = None
    """Run folder to make (default: runs/<data set>-<conditioning>-<seed>)."""
    resume: bool = False
    """Go on with the run in the folder; its flags are remembered."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = HERE

    def folder(self) -> Run:
        """The run folder, named or by default."""
        return Run(self.out or default_out(self.flags))

    def resumed(self) -> Config | None:
        """The config of the run to go on with, if there is one."""
        run = self.folder()
        return run.config() if self.resume and run.config_file.exists() else None

    def run(self) -> None:
        out, resumed = self.folder().path, self.resumed()
        c = config_of(self.flags, resumed)
        print(
            f"{c.data or c.dataset}, {label(c)}: {c.steps} steps of {_batch(c)}; "
            f"every {c.validate_every} steps a checkpoint and a validation on "
            f"{c.validation_episodes} episodes; run folder {out}"
        )
        if _is_converted(c):
            change = "get three equal channels" if c.channels == 3 else "become grey"
            print(f"the images of {c.dataset} {change}, as the network takes them")
        if self.resume and not resumed:
            print(f"there is no run in {out} to resume: a new one begins", file=sys.stderr)
        run = train(c, out, self.machine, resume=self.resume)
        test = run.test()
        protocol = Protocol(**test["protocol"])
        new = "domains" if protocol.domains else "classes"
        print(f"on {new} never seen: {percent(test['accuracy'], test['ci95'])} %")
        print(f"that is {protocol}")
        made = (run.curves_file, run.episodes_file, run.test_file)
        print(f"run folder: {run.path} ({', '.join(f.name for f in made if f.exists())})")
        print(f"next: fewshot-film evaluate {run.path} --help")


@dataclass(frozen=True)
class _Asking:
    """Where to compute, and where the result goes."""

    machine: Annotated[Machine, tyro.conf.arg(name="")] = HERE
    json: Path | None = None
    """Also write the result, with every episode's accuracy, to this file."""

    def __post_init__(self) -> None:
        _check_folder("json", self.json)

    def write(self, text: str) -> None:
        if self.json:
            write_atomic(self.json, text.encode())


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run on new episodes: mean accuracy and its 95% interval, 1.96 s / sqrt(n) over
    episodes, by kind of task where there are several.

    RUN@adabn evaluates the run's extractor with adaptive batch norm on the support set in place
    of its own adapter, RUN@adabn-query on support and queries (which is transductive, and said so),
    RUN@adabn-domain on the images of all tested domains; RUN@own+adabn keeps the run's own FiLM
    after it. The same command gives the same figures every time."""

    run_folder: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder made by `fewshot-film train`."""
    on: Annotated[Question, tyro.conf.arg(name="")] = field(default_factory=Question)
    asking: Annotated[_Asking, tyro.conf.arg(name="")] = field(default_factory=_Asking)

    def run(self) -> None:
        report = evaluate_run(self.run_folder, self.on, self.asking.machine)
        print(report.protocol)
        print(group_table([report]))
        self.asking.write(report.to_json())


@dataclass(frozen=True)
class Compare:
    """Compare runs on the same episodes.

    Statistics: each run's mean accuracy with its 95% interval (1.96 s / sqrt(n) over episodes);
    the mean difference to the first run, paired episode by episode, with the 95% interval of that
    difference; and the two-sided p-value of a sign-flip permutation test (10,000 random signs of
    the paired differences). RUN@adabn stands for adaptive batch norm on the run's extractor."""

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN RUN...")]
    """Run folders; differences are to the first."""
    picture: Path | None = None
    """Also draw the accuracies by kind of task to this PNG file."""
    on: Annotated[Question, tyro.conf.arg(name="")] = field(default_factory=Question)
    asking: Annotated[_Asking, tyro.conf.arg(name="")] = field(default_factory=_Asking)

    def __post_init__(self) -> None:
        _check_folder("picture", self.picture)
        if self.picture and not can_draw():
            raise UsageError('`picture` needs matplotlib: pip install "fewshot_film[plot]"')

    def run(self) -> None:
        if len(self.runs) < 2:
            raise UsageError(f"compare needs at least two runs, got {len(self.runs)}")
        for run in self.runs:
            load_run(named(run).run, "cpu")  # all are whole before the first one takes its time
        machine, like = self.asking.machine, self.runs[0]
        reports = [evaluate_run(run, self.on, machine, like=like) for run in self.runs]
        print("\n".join(protocol_lines(reports)))
        print(group_table(reports))
        print()
        print(difference_table(reports))
        self.asking.write(comparison_json(reports))
        if self.picture:
            write_atomic(self.picture, comparison_bars(reports))


@dataclass(frozen=True)
class Audit:
    """Audit whether a run's answers depend on which other queries are asked.

    The same episodes are asked with their queries all together, one by one, and one class at a
    time. An inductive run answers alike each time. A transductive one does not, and its accuracy is
    not to be compared with an inductive one's. RUN@adabn and its like are audited too."""

    run_folder: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder made by `fewshot-film train`."""
    on: Annotated[Question, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Question(episodes=100)
    )
    asking: Annotated[_Asking, tyro.conf.arg(name="")] = field(default_factory=_Asking)

    def run(self) -> None:
        put, asked = trial(self.run_folder, self.on, self.asking.machine), self.on
        progress = self.asking.machine.progress
        found = audit(
            put.classifier, put.sampler, asked.episodes, seed=asked.seed, progress=progress
        )
        print(put.protocol)
        print(audit_table(found))
        print(found.verdict())
        if put.protocol.transductive and not found.transductive:
            print("but statistics were taken beforehand of images that the queries are among")
        self.asking.write(audit_json(self.run_folder, put.protocol, found))


@dataclass(frozen=True)
class Parts:
    """List the parts that a Config chooses from, by family: what each does, who published it, and
    its options with their defaults, as they are typed behind its name: low-rank:rank=2."""

    family: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="FAMILY")] = None
    """One family only, such as conditioning (default: all)."""

    def run(self) -> None:
        print(parts_listing(self.family))


@dataclass(frozen=True)
class Datasets:
    """List the data sets: classes and images of train / val / test, licence, and whether each is
    on this machine or how to get it."""

    data_root: Path | None = None
    """Where data sets are (default: $FEWSHOT_FILM_DATA, else a cache)."""

    def run(self) -> None:
        root = data_root(self.data_root)
        rows = [["name", "tasks", "classes", "images", "licence", "here?"]]
        for name, known in ENTRIES.items():
            source = known.source
            here = "present" if source.present(root) else source.obtain
            counts = [
                " / ".join(map(str, part.values())) for part in (source.classes, source.images)
            ]
            rows.append([name, known.tasks, *counts, source.licence, here])
        print(table(rows))
        print(f"data root: {root}")
        print("your own pictures: --data FOLDER, one sub-folder for each class")


def _batch(config: Config) -> str:
    """What a training step sees."""
    if config.classifies:
        images = OBJECTIVES.read(config.objective).option("images")
        return f"{config.tasks} batches of {images} images"
    return f"{config.tasks} {config.way}-way {config.shot}-shot tasks"


def _is_converted(config: Config) -> bool:
    """Whether images have other channels than the network takes; pictures are read as they are."""
    if config.data or not foreign(config.extractor):
        return False
    return entry(config.dataset).source.channels != config.channels


def _check_folder(argument: str, file: Path | None) -> None:
    """A file that is written last must have its folder from the beginning."""
    if file and not file.parent.is_dir():
        raise UsageError(f"`{argument}` {file}: there is no folder {file.parent}; make it")
