"""Build the notebooks: `python -m tools.build [CHAPTER...] [--force] [--check]`, and back: `--sync NOTEBOOK`.

`chapters/source/NN_name.py` (jupytext py:percent) is the only form that is edited; `chapters/NN_name.ipynb` is what
people open: built from it, executed, committed with its outputs. A chapter is named by number, name or path; none means
all. It is executed again only if its source, or a file of `shared` that its kernel imported, has changed (`--force`:
always).

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

In the notebook the solution is a stub (`return ...`, `name = ...`) and the help is folded. The build fails, and names
the cell, on an error, on anything written to stderr, on an output that holds a memory address or a path of this
machine, and above 2 MB. Stored outputs keep their PNG and plain text and lose live widget views, which no page can open
without a kernel. Cell ids follow from the source, so two builds are equal but for measured times, and an edited
notebook finds its way back (`--sync`).
"""

import argparse
import ast
import hashlib
import json
import os
import re
import sys
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from run import QUIET

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
BEGIN, END, TODO = "### BEGIN SOLUTION", "### END SOLUTION", "  # your code here"
LIMIT_MB = 2
SHIPPED = {"data/sets": ".", "race": "data/tables"}      # folders of files that a module of `shared` reads
LANGUAGE = {"name": "python"}                         # no version: the same on every machine
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SCOPES = ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PRIVATE = re.compile("|".join(re.escape(f"{folder}{os.sep}") for folder in (ROOT, Path.home(), tempfile.gettempdir())))
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
# Run after the last cell: the files of `shared` the chapter depends on, and what it cost.
PROBE = """
import json as _json, sys as _sys
try:
    import resource as _resource
    _peak = _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * (1 if _sys.platform == "darwin" else 1024)
except ImportError:
    _peak = 0
_files = [getattr(m, "__file__", None) for n, m in list(_sys.modules.items()) if n.split(".")[0] == "shared"]
print(_json.dumps({"peak": _peak, "files": sorted({f for f in _files if f})}))
"""


class BuildError(Exception):
    """What stops a build; its text is one line that names the chapter and the cell."""


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
    return {key: value for key, value in cell.metadata.items() if key in ("slideshow", "tags")}


def solved(source):
    """An exercise cell as its solution: the marks left out."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))


def stub(source, where="exercise"):
    """An exercise cell as the student gets it: every solution block replaced by one line per thing to find."""
    blocks = list(re.finditer(rf"^([ \t]*){BEGIN}[ \t]*\n(.*?)^[ \t]*{END}[ \t]*$", source, re.M | re.S))
    if not blocks or len(blocks) != source.count(BEGIN) or len(blocks) != source.count(END):
        raise BuildError(f"{where}: an exercise needs {BEGIN!r} ... {END!r}, each on a line of its own")
    rest = source
    for block in blocks:
        rest = rest.replace(block.group(), "")
    for block in blocks:
        lines = "\n".join(block.group(1) + line for line in placeholder(block.group(2), rest, where))
        source = source.replace(block.group(), lines)
    return source


def placeholder(block, rest, where):
    """The lines that stand for a solution block: `return ...`, `yield ...` or `name = ...`."""
    body = textwrap.dedent(block)
    try:
        tree = ast.parse(f"def _():\n{textwrap.indent(body, '    ')}").body[0]
    except SyntaxError as error:
        raise BuildError(f"{where}: the solution does not parse: {error.msg}") from None
    nodes = list(walk(tree))
    if any(isinstance(node, ast.Return) and node.value for node in nodes):
        return ["return ..." + TODO]
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes):
        return ["yield ..." + TODO]
    assigned, last = (
        [node.id for node in found if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        for found in (nodes, walk(ast.Module(tree.body[-1:])))
    )
    names = [name for name in dict.fromkeys(assigned) if name in last or re.search(rf"\b{name}\b", rest)]
    if not names:
        raise BuildError(f"{where}: the solution must return, yield or assign (a def line goes outside the marks)")
    return [f"{name} = ..." + TODO for name in names]


def walk(tree):
    """ast.walk in order of appearance, without entering scopes inside `tree`."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, SCOPES):
            yield from walk(node)


def folded(hints, solution, where):
    """The staged help: each bullet and the solution folded in <details>."""
    text, *why = re.split(r"^Solution:", hints, maxsplit=1, flags=re.M)
    bullets = [textwrap.dedent("  " + bullet).strip() for bullet in re.split(r"^- ", text, flags=re.M)[1:]]
    if not bullets:
        raise BuildError(f"{where}: a hints cell needs at least one line that begins with '- '")
    parts = [(f"Hint {number}", bullet) for number, bullet in enumerate(bullets, 1)]
    why = why[0].strip() + "\n\n" if why else ""
    parts.append(("Solution", f"{why}```python\n{solution}\n```"))
    return "\n\n".join(f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" for title, body in parts)


def execute(nb, name, cwd):
    """Run the notebook's cells in a fresh kernel; returns what the probe found: {"peak": bytes, "files": [...]}."""
    nb.cells.append(nbformat.v4.new_code_cell(PROBE))
    where = {"metadata": {"path": str(cwd)}}
    terse = ["--IPKernelApp.log_level=40"]            # no warning that the kernel talks over TCP
    limit = None if os.environ.get("COURSE_TABLES") else 600        # seconds per cell; tables take what they need
    client = NotebookClient(nb, timeout=limit, record_timing=False, resources=where, extra_arguments=terse)
    try:
        client.execute(env={"CLAIMS": "strict", **os.environ, **QUIET})
    except CellExecutionError as error:
        failed = [any(o.output_type == "error" for o in cell.get("outputs", [])) for cell in nb.cells].index(True)
        source = textwrap.indent(nb.cells[failed].source, "    ")
        raise BuildError(f"{name}, cell {failed + 1}: {error.ename}: {error.evalue}\n{source}") from None
    probe = nb.cells.pop()
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type == "code":
            cell.outputs = clean(cell.outputs, f"{name}, cell {number}")
    nb.metadata.pop("widgets", None)
    nb.metadata["language_info"] = LANGUAGE
    return json.loads("".join(output.text for output in probe.outputs if output.get("name") == "stdout"))


def clean(outputs, where):
    """Outputs as they are stored: streams joined, no widget view; BuildError if one must not be stored."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                raise BuildError(f"{where} writes to stderr: {output.text.strip()}")
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif "data" in output and output.data.pop(WIDGET_VIEW, None) and set(output.data) <= {"text/plain"}:
            raise BuildError(f"{where} shows a widget without a picture: nothing would be left of it on a page")
        kept.append(output)
    for output in kept:
        for text in [output.text] if output.output_type == "stream" else output.data.values():
            if isinstance(text, str) and (private := ADDRESS.search(text) or PRIVATE.search(text)):
                raise BuildError(f"{where}: its output holds a memory address or a path of this machine: {private[0]}")
    return kept


def dependencies(files):
    """Files of `shared` relative to the root, with the scripts and data that a module of the same name ships."""
    found = set()
    for path in map(Path, files):
        beside = list(path.parent.glob(f"{path.stem}.*"))
        module = path.with_suffix("").as_posix().rpartition("/shared/")[2]
        shipped = list((path.parent / SHIPPED[module]).glob("*")) if module in SHIPPED else []
        found |= {file for file in [path, *beside, *shipped] if file.is_file() and file.is_relative_to(ROOT)}
    return sorted(file.relative_to(ROOT).as_posix() for file in found)


def fingerprint(source, files):
    """A hash of the source and of the files of `shared` it uses; None if one is missing."""
    paths = [source, *(ROOT / file for file in files)]
    if not all(path.is_file() for path in paths):
        return None
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def target(source):
    return source.parents[1] / f"{source.stem}.ipynb"


def build(source, force=False):
    """Build one chapter; returns a line that says what was done."""
    nb, path = read(source), target(source)
    if path.exists() and not force:
        made = nbformat.read(path, as_version=4).metadata.get("built", {})
        if made and made["hash"] == fingerprint(source, made["shared"]):
            return f"{source.stem}: up to date"
    start = time.perf_counter()
    probe = execute(nb, source.stem, path.parent)
    files = dependencies(probe["files"])
    nb.metadata["built"] = {"hash": fingerprint(source, files), "shared": files}
    nbformat.validate(nb)
    text = nbformat.writes(nb) + "\n"
    size = len(text.encode()) / 1e6
    if size > LIMIT_MB:
        largest = max(range(len(nb.cells)), key=lambda i: len(json.dumps(nb.cells[i])))
        raise BuildError(f"{source.stem}: {size:.1f} MB, at most {LIMIT_MB} MB; the largest cell is {largest + 1}")
    path.write_text(text, encoding="utf-8")
    seconds, peak = time.perf_counter() - start, probe["peak"] / 1e9
    return f"{source.stem}: {len(nb.cells)} cells, {seconds:.0f} s, peak {peak:.2f} GB, {size:.2f} MB"


def differences(source):
    """Where the notebook is not what the source says; an empty list when in step. Nothing is executed."""
    path = target(source)
    if not path.exists():
        return [f"{path.name} is missing: python3 run.py build {source.stem}"]
    wanted, found = read(source).cells, nbformat.read(path, as_version=4).cells
    pairs = enumerate(zip(*([told(cell) for cell in cells] for cells in (wanted, found))), 1)
    lines = [f"{path.name}, cell {number}: not as in the source" for number, (want, have) in pairs if want != have]
    if len(wanted) != len(found):
        lines.append(f"{path.name}: {len(found)} cells, the source has {len(wanted)}")
    return lines


def told(cell):
    return cell.id, cell.cell_type, cell.source, dict(cell.metadata)


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


def sources(names, folder=None):
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


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="run.py build", description="Build the notebooks from chapters/source.")
    parser.add_argument("chapters", nargs="*", help="number, name or path; none for all")
    parser.add_argument("--force", action="store_true", help="execute even if nothing changed")
    parser.add_argument("--check", action="store_true", help="only compare source and notebook")
    parser.add_argument("--sync", metavar="NOTEBOOK", type=Path, help="bring an edited notebook back to its source")
    options = parser.parse_args(arguments)
    failed = False
    try:
        if options.sync:
            notes = sync(options.sync.resolve())
            print("\n".join([*notes, f"{options.sync.stem}: source written; now build it"]))
            return bool(notes)
        for source in sources(options.chapters):
            try:
                lines = differences(source) if options.check else [build(source, options.force)]
                failed |= options.check and bool(lines)
            except BuildError as error:
                failed, lines = True, [f"FAILED {error}"]
            print("\n".join(lines or [f"{source.stem}: in step"]), flush=True)
    except BuildError as error:
        print(error)
        return True
    return failed


if __name__ == "__main__":
    sys.exit(main())
