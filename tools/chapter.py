"""A built notebook as decks and pages read it.

May import: tools, tools.source.
"""

import ast
import re
from dataclasses import dataclass, field

import nbformat

from . import BuildError
from .source import command, sources, target


@dataclass
class Cell:
    """A cell of a notebook: kind is markdown or code, slide its slide type, explorer its baked figure (HTML) if any."""

    number: int
    kind: str
    text: str
    slide: str
    tags: list
    outputs: list
    explorer: str = ""

    @property
    def shows_explorer(self):
        return self.kind == "code" and calls_explorer(self.text)

    @property
    def shows_figure(self):
        return self.shows_explorer or any("image/png" in output.get("data", {}) for output in self.outputs)


@dataclass
class Chapter:
    """A built notebook: its name (the stem of its file), its number and title, its cells."""

    name: str
    cells: list = field(repr=False)

    @property
    def number(self):
        return int(self.name.split("_")[0])

    @property
    def title(self):
        heading = next((re.match(r"# (.+)", c.text) for c in self.cells if re.match(r"# .", c.text)), None)
        return heading[1].strip() if heading else self.name.split("_", 1)[1].replace("_", " ").capitalize()

    @property
    def code(self):
        return [cell for cell in self.cells if cell.kind == "code"]


def load(path):
    """A chapter from its notebook."""
    if not path.exists():
        raise BuildError(f"{path.name} is missing: {command(path)}")
    cells = []
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
        slide = cell.metadata.get("slideshow", {}).get("slide_type") or "-"
        outputs = cell.get("outputs", [])
        if cell.cell_type == "code" and not outputs and (cell.source.strip() and cell.execution_count is None):
            raise BuildError(f"{path.stem} is not executed: {command(path)}")
        cells.append(Cell(number, cell.cell_type, cell.source, slide, cell.metadata.get("tags", []), outputs))
    return Chapter(path.stem, cells)


def chapters(names=()):
    """The chapters meant by numbers, names or paths; all of them for none."""
    return [load(target(source)) for source in sources(names)]


def calls_explorer(source):
    """Whether the last expression of a cell is `<module>.explorer(...)`."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    if not body or not isinstance(body[-1], ast.Expr):
        return False
    value = body[-1].value
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "explorer"
