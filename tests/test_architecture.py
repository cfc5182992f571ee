"""Imports point one way, cheaply: the order of the list is the order in which data flow."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import fewshot_film

PACKAGE = Path(__file__).parents[1] / "fewshot_film"

WINGS: dict[str, tuple[str, ...]] = {
    "_version": (),
    "errors": (),
    "base": (
        *("seeding", "modes", "interrupt", "memory", "moments", "values", "family"),
        *("files", "device", "provenance", "pixels"),
    ),
    "data": ("image_set", "source", "root", "reading", "sets"),
    "tasks": (
        *("episode", "numbered", "drawing", "plain", "domain_cells", "same_domain"),
        *("cross_domain", "uniform_query", "which_attribute", "rendered", "mixture"),
        *("transforms", "augmented", "class_batches", "labeled_batches"),
        *("imaging", "factors", "operations", "crossing", "asking", "attributes"),
        *("photo_attributes", "random_operations", "two_codes", "natural_labellings"),
        *("nested_labellings", "controls", "pool"),
    ),
    "parts": (
        *("conditioning", "normalization", "extractor", "head", "encoder", "generator"),
        *("statistics", "adaptation", "optimizer", "schedule"),
    ),
    "model": ("adapted", "classifier", "supervised", "objective", "naming", "auxiliary"),
    "measure": ("paired", "sanity", "accuracy", "audit"),
    "config": (
        *("config", "stored", "machine", "protocol", "domains"),
        *("photo_tasks", "catalog", "readings", "problem", "build"),
    ),
    "runs": (
        *("run", "shipped", "variants", "guard", "learner", "step", "log", "training_episodes"),
        *("training", "selection", "trial", "report"),
    ),
    "report": ("tables", "catalogue", "pictures", "train"),
    "demo": (),
    "cli": ("flags", "commands", "main"),
    "__main__": (),
}
"""A module may import what stands before it, wing by wing and inside each wing; a folder inside a
wing is one place, whose files may import one another as long as there is no cycle."""


def modules() -> dict[str, Path]:
    """Dotted name below fewshot_film -> file; a package by its own name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del found[""]
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """The package's modules that a file imports, anywhere in it; `from a import b` may mean a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "fewshot_film" and rest:
                yield rest if rest in MODULES else rest.rpartition(".")[0]


IMPORTS = {name: set(imported(path)) - {""} for name, path in MODULES.items()}


PLACES = {
    ".".join(filter(None, (wing, inner))): (floor, room)
    for floor, (wing, rooms) in enumerate(WINGS.items())
    for room, inner in enumerate(("", *rooms))
}
"""Wing, or wing.room -> where it stands."""


def place(module: str) -> str:
    """The room that a module is in; a wing's own file is the wing."""
    return ".".join(module.split(".")[:2])


def may_import(module: str, other: str) -> bool:
    """A wing's own file gathers its rooms, so whatever stands in a lower wing may import it."""
    (floor, room), (other_floor, other_room) = PLACES[place(module)], PLACES[place(other)]
    if floor != other_floor:
        return other_floor < floor
    return place(module) == place(other) or room == 0 or 0 < other_room < room


def test_every_place_is_named_and_every_name_is_a_place() -> None:
    assert {place(module) for module in MODULES} == {
        name for name in PLACES if PLACES[name][1] or name in MODULES
    }
    assert sum(map(len, IMPORTS.values())) > 50, "imports are found at all"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_up_the_order(module: str) -> None:
    wrong = [other for other in IMPORTS[module] if not may_import(module, other)]
    assert not wrong


@pytest.mark.parametrize(
    ("module", "other"),
    [("base.files", "data.root"), ("parts.encoder.base", "parts.adaptation.base")],
)
def test_an_import_that_points_down_is_found(module: str, other: str) -> None:
    assert may_import(other, module)
    assert not may_import(module, other)


def test_no_name_hides_a_module() -> None:
    """`import fewshot_film.a.b` gives the module b, whatever the package a exports."""
    hidden = [
        name
        for name in MODULES
        if not isinstance(_attribute(*f"fewshot_film.{name}".rpartition(".")[::2]), ModuleType)
    ]
    assert not hidden


def _attribute(package: str, name: str) -> object:
    importlib.import_module(f"{package}.{name}")
    return getattr(importlib.import_module(package), name)


def test_the_front_door_is_narrow() -> None:
    """What people call, the base classes and the defaults; a family is a module."""
    exported = {name: getattr(fewshot_film, name) for name in fewshot_film.__all__}
    modules = {name for name, value in exported.items() if isinstance(value, ModuleType)}
    wing = {name.removeprefix("parts.") for name in PLACES if name.startswith("parts.")}
    assert modules == wing - {"optimizer", "schedule"} | {"demo"}
    assert len(exported) - len(modules) <= 40


def test_no_import_cycles() -> None:
    """Between files, within the packages too; a package's file never imports its own package."""
    tuple(TopologicalSorter(IMPORTS).static_order())


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_importing_everything_a_run_needs_is_light() -> None:
    code = (
        "import sys, fewshot_film.runs.training, fewshot_film.measure.accuracy;"
        "print([m for m in ('matplotlib', 'sklearn', 'tyro', 'scipy') if m in sys.modules])"
    )
    assert run(code) == "[]"


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
@pytest.mark.slow
def test_openmp_waits_passively_unless_told(given: dict[str, str], expected: str) -> None:
    """The policy stands before torch is first imported."""
    code = (
        "import os, sys, importlib.abc\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': print(os.environ.get('OMP_WAIT_POLICY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import fewshot_film.tasks.episode\n"
    )
    assert run(code, **given) == expected
