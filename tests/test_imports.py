"""Arrows point one way: every room says in its docstring what it may import, and this is held against its imports."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1] / "shared"
FILES = sorted(SHARED.rglob("*.py"))
HEAVY = {"torch", "tensorflow", "keras", "jax", "optax", "scipy", "sklearn"}
FIGURES = {"matplotlib", "PIL"}
WIDGETS = {"ipywidgets", "anywidget", "traitlets", "IPython"}


def name(path):
    """A file's module name."""
    parts = path.relative_to(SHARED.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in FILES}
ROOMS = {module: path for module, path in MODULES.items() if path.name == "__init__.py" or module.count(".") == 1}


def contract(path):
    """The rooms that a room may import, from the line "May import: a, b." of its docstring; None without the line."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = re.search(r"^May import: ([^.]*(?:\.\w[^.]*)*)\.$", doc, re.M)
    if not found:
        return None
    return set() if found[1] == "nothing" else {f"shared.{room.strip()}" for room in found[1].split(",")}


CONTRACTS = {room: allowed for room, path in ROOMS.items() if (allowed := contract(path)) is not None}


def room_of(module):
    """The innermost room with a contract that a module belongs to."""
    while module and module not in CONTRACTS:
        module = module.rpartition(".")[0]
    return module


def imported(path):
    """The modules of `shared` that a file imports, wherever in it the statement stands."""
    here = name(path)
    package = here if path.name == "__init__.py" else here.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(base + ([node.module] if node.module else []))
            inside = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in MODULES]
            found = inside if len(inside) == len(node.names) else [*inside, base]
        else:
            continue
        yield from (module for module in found if module.split(".")[0] == "shared" and module != "shared")


def arrows():
    """Room -> the rooms that its files import."""
    found = {room: set() for room in CONTRACTS}
    for module, path in MODULES.items():
        if module != "shared":
            found[room_of(module)] |= {room_of(other) for other in imported(path)} - {room_of(module)}
    return found


def allowed(room):
    """What a room may import: what its own line says (a room inside another does not inherit), and what holds it."""
    return CONTRACTS[room]


def test_every_room_has_a_contract():
    silent = {module for module in ROOMS if module != "shared" and not room_of(module)}
    assert not silent, f"no line 'May import: ...' in the docstring of {', '.join(sorted(silent))}"
    named = {other for room in CONTRACTS for other in CONTRACTS[room]}
    assert named <= set(CONTRACTS), f"rooms that do not exist: {sorted(named - set(CONTRACTS))}"


@pytest.mark.parametrize("room", sorted(CONTRACTS))
def test_a_room_imports_what_its_docstring_says_and_no_less(room):
    assert arrows()[room] == allowed(room)


def test_there_is_no_circle_of_rooms():
    list(TopologicalSorter(CONTRACTS).static_order())


def test_there_is_no_circle_of_modules():
    # a package's own files import each other by name, never the package; an __init__ only hands out
    graph = {module: set(imported(path)) - {module} for module, path in MODULES.items()}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SHARED).as_posix())
def test_nothing_imports_notebooks_tests_or_tools(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    found += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    assert not {module.split(".")[0] for module in found} & {"chapters", "tests", "tools", "run"}


def loaded(module):
    """The packages that importing a module loads."""
    return loaded_by(f"import {module}")


def loaded_by(code):
    """The packages that a piece of code loads."""
    code = f"import sys; {code}; print('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(said.split("LOADED")[1].split())


NUMBERS = [
    "chance", "descent", "theory", "race", "data", "optimizers", "optimizers.schedules", "optimizers.linesearch",
    "models", "models.convolution", "models.cells", "problems", "problems.sequences", "problems.language",
    "frameworks.conventions", "distributed.cost", "distributed.simulate", "distributed.compression",
]  # fmt: skip


@pytest.mark.parametrize("module", NUMBERS)
def test_numbers_know_no_figures_and_load_nothing_heavy(module):
    assert not loaded(f"shared.{module}") & (HEAVY | FIGURES | WIDGETS)


@pytest.mark.parametrize("module", ["figures", "figures.theme", "figures.plots", "figures.live", "course"])
def test_figures_and_the_course_load_no_networks(module):
    assert not loaded(f"shared.{module}") & HEAVY


def test_an_answer_is_checked_without_figures():
    code = "from shared.course import check; check('06.he', lambda *_: 0); check('01.early_stop', lambda *_: 0)"
    assert not loaded_by(code) & FIGURES
