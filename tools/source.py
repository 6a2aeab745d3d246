"""`chapters/source/NN_name.py` (jupytext py:percent), the only form of a chapter that is edited.

A cell's header carries its slide type and its tags:

    # %% [markdown] slideshow={"slide_type": "slide"}         slide, subslide, fragment, skip, notes, or - (goes on)
    # %% tags=["setup"]                                       imports and cheap data that the exercises need

An exercise is code between nbgrader's marks, its check in a cell of its own, and its staged help:

    # %% tags=["exercise"]
    def rate(kappa):
        ### BEGIN SOLUTION
        return (kappa - 1) / (kappa + 1)
        ### END SOLUTION
    # %%
    check("02.rate", rate)
    # %% [markdown] tags=["hints"]
    # - At the best rate both ends of the spectrum shrink equally.
    # - Solve |1 - lr L| = |1 - lr μ|.
    #
    # Solution: an optional sentence, shown above the code.

In the notebook the solution is a stub (`return ...`, `name = ...`) and the help is folded. Cell ids follow from the
source, so that an edited notebook finds its way back (`sync`).

May import: run, tools, tools.exercises.
"""

import hashlib
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat

from run import CHAPTERS

from . import BuildError
from .exercises import BEGIN, folded, solved, stub

LANGUAGE = {"name": "python"}                         # no version: the same on every machine
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def sources(names=(), folder=None):
    """The source files meant by numbers, names or paths; all of them for none."""
    every = sorted((folder or CHAPTERS / "source").glob("[0-9]*.py"))
    chosen = []
    for name in names:
        stem = Path(name).stem
        found = [source for source in every if source.stem == stem or source.stem.split("_")[0] == stem.zfill(2)]
        if not found:
            raise BuildError(f"no chapter {name!r}; there are: {', '.join(source.stem for source in every) or 'none'}")
        chosen += found
    return chosen if names else every


def target(source):
    """The notebook that is built from a source file."""
    return source.parents[1] / f"{source.stem}.ipynb"


def command(source):
    """What to type so that the notebook is built."""
    return f"python3 run.py build {source.stem.split('_')[0]}"


def read(source):
    """The cells of a source file, transformed for students, with stable ids; not executed."""
    nb = jupytext.read(source, fmt="py:percent")
    seen, exercise, cells = Counter(), None, []
    for number, original in enumerate(nb.cells, 1):
        where = f"{source.stem}, cell {number}"
        tags = original.metadata.get("tags", [])
        text = original.source
        key = (original.cell_type, text)
        seen[key] += 1
        if "exercise" in tags:
            if exercise:
                raise BuildError(f"{where}: the exercise before it has no hints cell")
            exercise = original.source
            text = stub(text, where)
        elif BEGIN in text:
            raise BuildError(f"{where}: solution marks, but not the tag exercise")
        elif "hints" in tags:
            if exercise is None:
                raise BuildError(f"{where}: hints without an exercise above")
            text, exercise = folded(text, solved(exercise), where), None
        digest = hashlib.sha256("\0".join([source.stem, *key, str(seen[key])]).encode()).hexdigest()[:12]
        new_cell = getattr(nbformat.v4, f"new_{original.cell_type}_cell")
        cells.append(new_cell(text, id=digest, metadata=kept_metadata(original)))
    if exercise:
        raise BuildError(f"{source.stem}: the last exercise has no hints cell")
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": LANGUAGE})


def kept_metadata(cell):
    """The marks of a cell that stand in its source."""
    return {key: value for key, value in cell.metadata.items() if key in ("slideshow", "tags")}


def differences(source):
    """Where the notebook's text is not what the source says, a line each. Nothing is executed."""
    path = target(source)
    if not path.exists():
        return [f"{path.name} is missing"]
    wanted, found = read(source).cells, nbformat.read(path, as_version=4).cells
    pairs = enumerate(zip(*([essence(cell) for cell in cells] for cells in (wanted, found))), 1)
    lines = [f"{path.name}, cell {number}: not as in the source" for number, (want, have) in pairs if want != have]
    if len(wanted) != len(found):
        lines.append(f"{path.name}: {len(found)} cells, the source has {len(wanted)}")
    return lines


def essence(cell):
    """What of a cell its source determines; JupyterLab's own marks (folded, scrolled) are the reader's."""
    return cell.id, cell.cell_type, cell.source, kept_metadata(cell)


def sync(path):
    """Bring an edited notebook back to its source; returns lines about what must be done by hand."""
    source = path.parent / "source" / f"{path.stem}.py"
    if not source.exists():
        raise BuildError(f"{source} does not exist: save the notebook under its chapter's name")
    original = jupytext.read(source, fmt="py:percent")
    known = {built.id: (cell, built) for cell, built in zip(original.cells, read(source).cells)}
    cells, notes = [], []
    for number, edited in enumerate(nbformat.read(path, as_version=4).cells, 1):
        cell, built = known.get(edited.id, (edited, None))
        if built and {"exercise", "hints"} & set(built.metadata.get("tags", [])):
            if edited.source != built.source:
                notes.append(f"{path.name}, cell {number}: an exercise was edited; change {source.name} by hand")
        else:
            cell.source = edited.source
        if kept_metadata(cell) != (metadata := kept_metadata(edited)):    # else they stay in the order of the source
            cell.metadata = nbformat.from_dict(metadata)
        cells.append(cell)
    original.cells = cells
    old = source.read_text(encoding="utf-8")
    head = old[:re.search(r"^# %%", old, re.M).start()]
    body = jupytext.writes(original, fmt="py:percent")
    source.write_text(head + body[re.search(r"^# %%", body, re.M).start():], encoding="utf-8")
    return notes
