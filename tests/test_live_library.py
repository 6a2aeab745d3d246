"""The live figure is a library: another subject, without the course; what it ships, and what its files may import."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from shared.figures import live
from shared.figures.live.still import ACCENT

FOLDER = Path(live.__file__).parent

# Refuses the rest of the project, and what only the rest needs; then the figure of tests/pendulum.py, live and baked.
ALONE = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    names = {"scipy", "sklearn", "torch", "tensorflow", "keras", "jax", "optax", "jupyterlab", "nbformat", "tools"}

    def find_spec(self, name, path=None, target=None):
        own = name in ("shared", "shared.figures") or f"{name}.".startswith("shared.figures.live.")
        if name.split(".")[0] in self.names or name.split(".")[0] == "shared" and not own:
            raise ImportError(f"there is no {name} here")

sys.meta_path.insert(0, Refuse())

from pendulum import pendulum
from shared.figures.live import baked_html, fingerprint, strict, sweep

with strict():
    explorer = pendulum()
    sweep(explorer, points=3)
before = fingerprint(explorer)
explorer.length = 2.0
assert fingerprint(explorer) != before and explorer.values["length"] == 2.0
explorer.set_state({"_hand": [[1, "bob", [0.0, 1.0]]]})
assert explorer.bob == (0.0, 1.0) and explorer.png()[1:4] == b"PNG"
assert explorer._repr_mimebundle_()[0]["text/plain"] == "A pendulum, and its angle against time."
print(baked_html(explorer, {"length": 3, "damping": 2, "bob": 5}))
print(*(name for name in sys.modules if name.split(".")[0] == "shared"), file=sys.stderr)
"""


def test_a_pendulum_live_and_baked():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER.parents[2]), str(Path(__file__).parent)])}
    ran = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    loaded = ran.stderr.split()
    assert "shared.figures.live.figure" in loaded
    assert {name for name in loaded if not name.startswith("shared.figures.live")} == {"shared", "shared.figures"}
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', ran.stdout).group(1))
    body = json.loads(zlib.decompress(base64.b64decode(data["body"])))
    assert data["vary"] == ["linear", "length", "damping", "bob"] and len(body["frames"]) == 2 * 3 * 2 * 5
    shown = next(spec for spec in body["figure"]["controls"] if spec["name"] == "shown")
    assert shown["colors"] == ["#aa3377", None]  # only those that were given


def test_importing_it_is_cheap():
    code = "import sys, shared.figures.live; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "matplotlib", "PIL", "anywidget", "IPython"} & {*ran.stdout.split()}


def test_its_public_names():
    assert all(hasattr(live, name) for name in live.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Knob'"):
        live.Knob  # noqa: B018


def imported(path):
    """The modules of this package that one of its Python files imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else (alias.name for alias in node.names)


def test_no_circle_within():
    wanted = {path.stem: {*imported(path)} for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    while wanted:
        free = {name for name, needs in wanted.items() if not needs & wanted.keys()}
        assert free, f"a circle among {sorted(wanted)}"
        wanted = {name: needs for name, needs in wanted.items() if name not in free}


def test_one_script_for_all_readers():
    text = live.script()
    assert live.LiveFigure._esm == text
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
    order = sorted(scripts, key=lambda name: text.index(scripts[name].splitlines()[0]))  # each begins with its comment
    for name, source in scripts.items():
        needs = re.findall(r'from "\./(\w+)\.js"', source)
        assert set(needs) <= set(order[: order.index(name)]), f"{name}.js uses what comes after it"
        used = set(re.findall(r"^import \{(.*)\}", source, re.MULTILINE))
        for word in (word for names in used for word in re.split(r"[, ]+", names.strip())):
            assert len(re.findall(rf"\b{word}\b", source)) > 1, f"{name}.js imports {word} and does not use it"
    assert not re.search(r"^(import|export (?!default))", text, re.MULTILINE)
    declared = re.findall(r"^(?:async )?(?:const|let|function) (\w+)", text, re.MULTILINE)
    assert len(declared) == len(set(declared)), "two parts declare one name"
    assert json.loads(re.search(r"^const STYLE = (.*);$", text, re.MULTILINE).group(1)) == (
        FOLDER / "live.css").read_text(encoding="utf-8")


def test_python_and_the_browser_agree():
    css = (FOLDER / "live.css").read_text(encoding="utf-8")
    assert f"--accent: {ACCENT};" in css
    controls = (FOLDER / "controls.js").read_text(encoding="utf-8")
    kinds = set(re.findall(r"^  (\w+)\(spec, send\)", controls, re.MULTILINE))
    assert kinds | {"point", "play"} == {c.kind for c in live.Control.__subclasses__()}


def test_lines_are_short_and_files_too():
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".py", ".js", ".css"):
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) <= 350 and max(map(len, lines)) <= 120, path.name
