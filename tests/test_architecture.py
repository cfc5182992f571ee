"""Imports point one way, cheaply: the order of the list is the order in which data flow."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fewshot_film"

ORDER = (
    "_version",
    "errors",
    "base",
    "data",
    "tasks",
    "parts",
    "model",
    "measure",
    "config",
    "runs",
    "report",
    "cli",
    "__main__",
)
"""A module may import what stands before it, and a package's files one another."""


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


def part(module: str) -> str:
    return module.partition(".")[0]


def test_every_part_has_a_place_in_the_order() -> None:
    assert {part(module) for module in MODULES} <= set(ORDER)
    assert len(set(ORDER)) == len(ORDER)
    assert sum(map(len, IMPORTS.values())) > 50, "imports are found at all"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_up_the_order(module: str) -> None:
    for other in IMPORTS[module]:
        assert part(other) == part(module) or ORDER.index(part(other)) < ORDER.index(part(module))


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


def test_importing_everything_a_run_needs_is_light() -> None:
    code = (
        "import sys, fewshot_film.runs.training, fewshot_film.measure.accuracy;"
        "print([m for m in ('matplotlib', 'sklearn', 'tyro', 'scipy') if m in sys.modules])"
    )
    assert run(code) == "[]"


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
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
