"""Imports point one way: what a file of `shared` may import, and what importing it may load."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1] / "shared"
BOTTOM = {"landscapes", "schedules", "oracles", "linesearch", "theory", "theme", "data", "labsettings"}
CORE = BOTTOM | {"optimizers", "descent", "plots", "problems", "notebook"}
TORCH = {"networks", "curvature", "depth"}
BY_HAND = {"convolution", "recurrent"}                # NumPy only: what chapter 7 compares with torch
ALLOWED = {
    **dict.fromkeys(BOTTOM, set()),
    "optimizers": {"linesearch"},
    "descent": {"optimizers"},
    "problems": {"oracles", "data"},
    "plots": {"theme"},
    "notebook": {"theme"},
    "exercises": set(),                               # finds the bank by name, when asked
    "marks": set(),
    "live": {"theme", "plots", "marks", "baking"},
    "baking": {"theme", "plots", "marks", "live"},
    "networks": CORE - {"plots", "notebook"},
    "curvature": CORE | {"networks"},
    "depth": {"networks"},
    "convolution": set(),
    "recurrent": {"problems"},
    "conventions": {"optimizers"},                    # chapter 9: the libraries in NumPy, and the libraries themselves,
    "frameworks": {"data", "problems"},               # imported inside functions, when asked
}
FILES = sorted(path for path in SHARED.rglob("*.py") if path != SHARED / "__init__.py")
PARTS = {path.relative_to(SHARED).parts[0].removesuffix(".py") for path in FILES}
SETTLED = BY_HAND | {"conventions", "frameworks"}
HELPERS = (PARTS - set(ALLOWED) - {"explorers", "exercise_bank"}) | SETTLED  # of one chapter: above the core
ALLOWED |= dict.fromkeys(HELPERS - SETTLED, CORE | TORCH | HELPERS)
ALLOWED["explorers"] = CORE | TORCH | HELPERS | {"live", "baking"}
ALLOWED["exercise_bank"] = CORE | TORCH | HELPERS | {"exercises", "explorers"}
HEAVY = {"torch", "tensorflow", "keras", "jax", "optax"}
WIDGETS = {"ipywidgets", "anywidget"}


def part(path):
    """The part of `shared` a file belongs to: the first name below the package."""
    return path.relative_to(SHARED).parts[0].removesuffix(".py")


def imported(path):
    """Every module a file imports, absolute, wherever in the file the statement stands."""
    package = ("shared", *path.relative_to(SHARED).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SHARED).as_posix())
def test_imports_point_one_way(path):
    here = part(path)
    roots = [name.split(".") for name in imported(path)]
    inside = {name[1] for name in roots if name[0] == "shared" and len(name) > 1}
    assert inside - ALLOWED[here] - {here} == set()
    outside = {name[0] for name in roots}
    if here in CORE | BY_HAND | {"exercises", "marks", "live", "conventions"}:
        assert not outside & HEAVY
    if here not in {"live", "explorers"}:
        assert not outside & WIDGETS
    assert not outside & {"chapters", "tests", "tools"}


NUMPY_ONLY = {"distributed.cost", "distributed.simulate", "distributed.compression"}  # above torch, but without it


@pytest.mark.parametrize(
    "module", sorted(BOTTOM - {"theme", "data", "labsettings"} | {"optimizers", "descent", "conventions"} | NUMPY_ONLY)
)
def test_the_core_loads_neither_torch_nor_figures(module):
    code = f"import sys, shared.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "shared" in loaded
    assert not set(loaded) & (HEAVY | WIDGETS | {"matplotlib", "scipy", "sklearn", "IPython"})
