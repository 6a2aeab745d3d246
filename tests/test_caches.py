"""What makes a notebook, a deck or a page stale, and that nothing is published of a stale one."""
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from setuptools import Distribution

import run
from tools import baked, caches, publishing, site, slides
from tools.chapter import load
from tools.execution import Run
from tools.source import read, target

FILES = {
    "shared/__init__.py": "",
    "shared/figures/live/__init__.py": "",
    "shared/figures/live/marks.py": "a = 1\n",
    "shared/figures/live/marks.js": "let a = 1;\nlet b = 2;\n",
    "shared/figures/live/looks/live.css": "p {}\n",
    "shared/figures/live/inner/__init__.py": "",
    "shared/figures/live/inner/other.js": "",
    "shared/data/__init__.py": "",
    "shared/data/sun.csv": "1,2\n",
    "shared/data/digits.npz": "\0\r\n",
}
LOADED = ["shared/__init__.py", "shared/data/__init__.py", "shared/figures/live/__init__.py",
          "shared/figures/live/marks.py"]  # fmt: skip
SOURCE = """\
# %% [markdown] slideshow={"slide_type": "slide"}
# # A title

# %% tags=["setup"] slideshow={"slide_type": "skip"}
from shared.explorers import basins

# %% slideshow={"slide_type": "slide"}
basins.explorer()
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A made-up course with one chapter, built by a kernel that loaded LOADED; the path of its source."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    monkeypatch.setattr(caches, "ROOT", tmp_path)
    monkeypatch.setattr(baked, "BAKED", tmp_path / ".baked")
    monkeypatch.setattr("tools.source.CHAPTERS", tmp_path / "chapters")
    source = tmp_path / "chapters" / "source" / "01_made_up.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE, encoding="utf-8")
    notebook = read(source)
    for cell in notebook.cells[1:]:
        cell.execution_count = 1
    notebook.metadata["built"] = caches.record(source, LOADED)
    nbformat.write(notebook, target(source))
    return source


@pytest.fixture
def bakings(monkeypatch):
    """How often explorers have been baked; a kernel is only pretended."""
    count = []

    async def pretended(notebook, name, **environment):
        count.append(name)
        html = nbformat.v4.new_output("display_data", data={"text/html": "<p>baked</p>"})
        for cell in notebook.cells:
            cell.outputs = [html]
        return Run(0, LOADED)

    monkeypatch.setattr(baked, "run", pretended)
    return count


def bake(source):
    chapter = load(target(source))
    baked.bake([chapter], log=None)
    assert chapter.cells[2].explorer == "<p>baked</p>"


CHANGES = {
    "a module": ("shared/figures/live/marks.py", "a = 2\n", True),
    "a script of a package": ("shared/figures/live/marks.js", "let a = 2;\n", True),
    "a style further down": ("shared/figures/live/looks/live.css", "p { color: red }\n", True),
    "a new script": ("shared/figures/live/new.js", "", True),
    "data": ("shared/data/sun.csv", "1,3\n", True),
    "bytes that look like line ends": ("shared/data/digits.npz", "\0\n", True),
    "a script that is gone": ("shared/figures/live/marks.js", None, True),
    "a module that is gone": ("shared/figures/live/marks.py", None, True),
    "line ends": ("shared/figures/live/marks.js", "let a = 1;\r\nlet b = 2;\r\n", False),
    "a module that was not loaded": ("shared/figures/live/else.py", "", False),
    "a package that was not loaded": ("shared/figures/live/inner/other.js", "let c;\n", False),
    "what a file browser leaves": ("shared/data/.DS_Store", "x", False),
}


@pytest.mark.parametrize("file, text, matters", CHANGES.values(), ids=CHANGES)
def test_what_makes_notebooks_and_baked_explorers_stale(tree, bakings, file, text, matters):
    bake(tree)
    bake(tree)
    assert caches.stale(tree) == [] and len(bakings) == 1
    if text is None:
        (caches.ROOT / file).unlink()
    else:
        (caches.ROOT / file).write_bytes(text.encode())
    changed = ["01_made_up.ipynb: its source or a file of shared has changed since it was executed"]
    assert caches.stale(tree) == (changed if matters else [])
    bake(tree)
    assert len(bakings) == 1 + matters


def test_a_source_with_other_line_ends_is_no_change(tree):
    tree.write_bytes(SOURCE.replace("\n", "\r\n").encode())
    assert caches.stale(tree) == []
    tree.write_text(SOURCE.replace("A title", "Another"), encoding="utf-8")
    assert caches.stale(tree) == ["01_made_up.ipynb, cell 1: not as in the source"]


@pytest.mark.parametrize("command, page", [(slides, "01_made_up.html"), (site, "01_made_up.html")])
def test_nothing_is_published_of_a_stale_chapter(tree, bakings, command, page, capsys):
    folder = tree.parents[2] / "out"
    assert not command.main(["--to", str(folder)])
    assert "A title" in (folder / page).read_text(encoding="utf-8") and bakings
    (folder / page).unlink()
    capsys.readouterr()

    (caches.ROOT / "shared/figures/live/marks.js").write_text("let a = 2;")
    bakings.clear()
    assert command.main(["1", "--to", str(folder)])
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("01_made_up is stale, nothing is written of it (01_made_up.ipynb: ")
    assert line.endswith("): python3 run.py build 01")
    assert not (folder / page).exists() and bakings == []
    assert not command.main(["--to", str(folder), "--stale"])
    assert (folder / page).exists()


def test_the_others_are_published(tree, bakings, capsys):
    other = tree.with_name("02_not_built.py")
    other.write_text(SOURCE, encoding="utf-8")
    folder = tree.parents[2] / "out"
    assert slides.main(["--to", str(folder)])
    assert [path.name for path in folder.iterdir()] == ["01_made_up.html"]
    assert "02_not_built.ipynb is missing): python3 run.py build 02" in capsys.readouterr().out
    assert slides.main(["2", "--stale", "--to", str(folder)])
    assert capsys.readouterr().out == "02_not_built.ipynb is missing: python3 run.py build 02\n"


def test_an_unknown_chapter_is_named(tree, capsys):
    assert publishing.main(["99"], "slides", "", "decks", tree.parent, None)
    assert capsys.readouterr().out == "no chapter '99'; there are: 01_made_up\n"


def installed(folder, monkeypatch):
    """The files that are not Python of which setuptools makes a wheel."""
    monkeypatch.chdir(folder)
    project = Distribution()
    project.parse_config_files(["pyproject.toml"])
    project.include_package_data = False              # what is under version control plays no part
    command = project.get_command_obj("build_py")
    command.ensure_finalized()
    every = {Path(package, file).as_posix() for _, package, _, files in command.data_files for file in files}
    return {file for file in every if not file.endswith(".py")}


def test_an_installed_package_has_all_its_files(tree, monkeypatch):
    folder = caches.ROOT
    for file in ("pyproject.toml", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(run.ROOT / file, folder)
    for package in ("shared", "shared/figures/live"):
        (folder / package / "__pycache__").mkdir()
        (folder / package / "__pycache__" / "marks.pyc").touch()
    (folder / "shared/figures/__init__.py").touch()
    assert installed(folder, monkeypatch) == {file for file in FILES if not file.endswith(".py")}


def test_this_package_has_all_its_files(monkeypatch):
    tracked = subprocess.run(["git", "ls-files", "shared"], cwd=run.ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    wanted = {file for file in tracked.stdout.splitlines() if not file.endswith(".py") and "/." not in file}
    assert wanted and wanted <= installed(run.ROOT, monkeypatch)
