"""Results of a recipe: a JSON file for each row and test, and its episodes beside it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from fewshot_film.base.files import file_sha256, write_atomic
from fewshot_film.config.config import Config
from fewshot_film.config.protocol import Protocol, Question
from fewshot_film.config.stored import from_json, to_values
from fewshot_film.errors import UsageError
from fewshot_film.measure.accuracy import Evaluation
from fewshot_film.measure.paired import Difference, ci95, paired
from fewshot_film.runs.report import Report, present_groups
from fewshot_film.runs.run import Run
from fewshot_film.runs.trial import problem_in_question

RUN_TELLS = ("transductive", "trained_shot", "known_classes")
"""What a protocol says of the run that is put to it."""


@dataclass(frozen=True, eq=False)
class Result:
    """A row under one test: `content` as in its JSON, and accuracies (seed, episode)."""

    content: dict[str, Any]
    accuracies: ndarray

    @property
    def name(self) -> tuple[str, str]:
        return self.content["row"], self.content["test"]

    @property
    def seeds(self) -> list[int]:
        return [seed["seed"] for seed in self.content["seeds"]]

    def of_seeds(self, seeds: Iterable[int]) -> ndarray:
        """The accuracies of some seeds, in that order."""
        return self.accuracies[[self.seeds.index(seed) for seed in seeds]]


def test_name(asked: Question) -> str:
    """What a test is called in the name of its files; that of another data set has its name."""
    shape = f"{asked.way}w{asked.shot}s"
    if not asked.dataset:
        return shape
    domain = "" if "," in (asked.domains or "") else (asked.domains or "").replace(" ", "-")
    return "-".join(filter(None, (asked.dataset, domain, shape)))


def add(folder: Path, row: str, test: str, report: Report, run: Run) -> None:
    """Put one seed's test into the files of its row, in place of an earlier one of that seed."""
    old, seed = read(folder, row, test), report.config.seed
    seeds = {s["seed"]: s for s in (old.content["seeds"] if old else [])}
    accuracies = dict(zip(seeds, old.accuracies, strict=True)) if old else {}
    seeds[seed], accuracies[seed] = _about(run, report), report.evaluation.accuracies
    order = sorted(seeds)
    values = np.stack([accuracies[s] for s in order])
    config = to_values(report.config)
    del config["seed"]
    content = {
        "row": row,
        "test": test,
        "accuracy": float(values.mean()),
        "ci95": ci95(values.mean(0)),
        "episodes": values.shape[1],
        "variant": report.run.removeprefix(str(run.path)),
        "protocol": asdict(report.protocol),
        "config": config,
        "seeds": [seeds[s] for s in order],
    }
    write(folder / f"{row}-{test}", content, values)


def _about(run: Run, report: Report) -> dict[str, Any]:
    """What one seed's run reached, how, and where."""
    checks = [(m["step"], m["val_accuracy"]) for m in run.metrics() if "val_accuracy" in m]
    return {
        "seed": report.config.seed,
        "accuracy": report.evaluation.accuracy,
        "ci95": report.evaluation.ci95,
        "validation_accuracy": run.validation_accuracy(),
        "validation": checks,
        "training_seconds": round(run.seconds()),
        "trained": list(report.trained),
        "tested": report.environment,
        "weights": file_sha256(run.best_file),
        **_by_kind(report.evaluation),
    }


def _by_kind(found: Evaluation) -> dict[str, Any]:
    """The accuracy on every kind of task, where there are several."""
    kinds = present_groups(found)
    if len(kinds) < 2:
        return {}
    return {"kinds": {kind: float(found.of_group(kind).mean()) for kind in kinds}}


def write(stem: Path, content: dict[str, Any], accuracies: ndarray) -> None:
    """Accuracies go as counts of correct queries, which is what they are, with their seeds."""
    protocol = content["protocol"]
    queries = protocol["way"] * protocol["query"]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        seeds=np.array([seed["seed"] for seed in content["seeds"]]),
        correct=(accuracies * queries).round().astype(np.uint16),
        queries=np.uint16(queries),
    )
    write_atomic(stem.with_name(stem.name + ".npz"), buffer.getvalue())
    text = json.dumps(content, indent=1) + "\n"
    write_atomic(stem.with_name(stem.name + ".json"), text.encode())


def read(folder: Path, row: str, test: str) -> Result | None:
    """A row's result under a test, if there is one.

    The episodes are written before the JSON: a kill in between leaves one seed more in them.
    """
    file = folder / f"{row}-{test}.json"
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as episodes:
        order = episodes["seeds"].tolist()
        accuracies = episodes["correct"] / float(episodes["queries"])
    chosen = [order.index(seed["seed"]) for seed in content["seeds"]]
    return Result(content, accuracies[chosen])


def is_tested(folder: Path, row: str, test: str, run: Run) -> bool:
    """Whether these very weights have been put to this test."""
    result = read(folder, row, test)
    weights = file_sha256(run.best_file)
    return result is not None and any(s["weights"] == weights for s in result.content["seeds"])


def check_same(folder: Path, row: str, config: Config, asked: Question, variant: str = "") -> None:
    """Figures of two configs or of two protocols never share a file."""
    test = test_name(asked)
    result = read(folder, row, test)
    if result is None:
        return
    file, stored = folder / f"{row}-{test}.json", result.content
    old = stored_config(file, stored, config.seed) | _of_test(Protocol(**stored["protocol"]))
    new = asdict(config) | _of_test(protocol_of(config, asked))
    refuse_other(file, old | {"variant": stored["variant"]}, new | {"variant": variant})


def protocol_of(config: Config, asked: Question) -> Protocol:
    """What a run of this config will be asked, as far as that is known before there is one."""
    problem = problem_in_question(asked, config, config, Path())
    domains = problem.named(asked.domains or "") or problem.domains(asked.split)
    return replace(asked.over(Protocol.of(config, domains=domains)), dataset=problem.name)


def _of_test(protocol: Protocol) -> dict[str, Any]:
    """What is asked, whatever run it is asked of."""
    fields = asdict(protocol).items()
    return {f"test {name}": value for name, value in fields if name not in RUN_TELLS}


def stored_config(file: Path, content: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The config that a file is of, with what it does not say yet at its default."""
    return asdict(replace(from_json(json.dumps(content["config"]), str(file)), seed=seed))


def refuse_other(file: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """An error names the first thing in which a file is of something else than is asked for."""
    for name, value in new.items():
        if old[name] != value:
            raise UsageError(
                f"{file} is of {name} = {old[name]!r}, this recipe has {name} = {value!r}; move "
                "the file away, or go back to its recipe"
            )


def difference(result: Result, base: Result) -> dict[str, Any] | None:
    """result - base on the same episodes: the mean over their common seeds, and each seed's.

    `ci95` is over episodes, for these trainings; `ci95_trainings` is over trainings, where there
    are several. `tested` is by what code and where both were tested, once each.
    """
    both = sorted(set(result.seeds) & set(base.seeds))
    if not both:
        return None
    a, b = base.of_seeds(both), result.of_seeds(both)
    change: Difference = paired(a.mean(0), b.mean(0))
    by_seed = {seed: float(values.mean()) for seed, values in zip(both, b - a, strict=True)}
    tested = [s["tested"] for r in (result, base) for s in r.content["seeds"] if s["seed"] in both]
    places = [place for i, place in enumerate(tested) if place not in tested[:i]]
    return {
        "to": base.content["row"],
        **asdict(change),
        "by_seed": by_seed,
        "ci95_trainings": student_ci95(list(by_seed.values())),
        "tested": places,
    }


def student_ci95(values: Sequence[float]) -> float | None:
    """Half the 95% interval of a mean of few values, t(n - 1) * s / sqrt(n); None of one value."""
    if len(values) < 2:
        return None
    from scipy.stats import sem, t  # type: ignore[import-untyped]

    return float(t.ppf(0.975, len(values) - 1) * sem(values))
