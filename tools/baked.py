"""Explorers that answer in decks and pages, without a kernel: sampled ahead, in a kernel that runs the chapter's cells.

Of a chapter run its imports, its set-up and the cells that show an explorer; where one of these uses what another cell
makes, every cell before it. What was baked is kept in `.baked/` until those cells or the files of `shared` that they
used change.

May import: run, shared (in the kernel, the bakery of live figures); tools, tools.assets, tools.caches, tools.chapter,
tools.execution.
"""

import ast
import asyncio
import builtins
import contextlib
import json
import os
import symtable
from dataclasses import replace

import nbformat

from run import ONE_THREAD, ROOT

from .assets import LIMIT
from .caches import fingerprint
from .execution import run

BAKED = ROOT / ".baked"
LIMIT_EXPLORER = 1_500_000                            # bytes
QUICK_FRAMES = 12                                     # of an explorer that a test bakes
BAKE = """
import sys as _sys
_sys.path.insert(0, {root!r})
from tools.baked import show as _show
_show(Out[max(Out)], {limit}, {quick})
"""


def bake(chapters, quick=False, log=print):
    """Fill in the explorers of chapters."""
    waiting = [chapter for chapter in chapters if needed(chapter) and not fill(chapter, quick)]
    if waiting:
        if log:
            log(f"baking the explorers of {', '.join(chapter.name for chapter in waiting)} ...")
        asyncio.run(bake_all(waiting, quick))


async def bake_all(chapters, quick):
    """Bake the explorers of chapters, two chapters at a time."""
    free = asyncio.Semaphore(2)

    async def one(chapter):
        async with free:
            await bake_chapter(chapter, quick)

    await asyncio.gather(*map(one, chapters))


async def bake_chapter(chapter, quick):
    """Bake the explorers of one chapter, and keep them."""
    cells = []
    for cell in needed(chapter):
        cells.append(nbformat.v4.new_code_cell(cell.text, metadata={"number": cell.number}))
        if cell.shows_explorer:
            code = BAKE.format(root=str(ROOT), limit=limit(chapter), quick=quick)
            cells.append(nbformat.v4.new_code_cell(code, metadata={"number": cell.number, "bakes": True}))
    modules = (await run(nbformat.v4.new_notebook(cells=cells), chapter.name, **ONE_THREAD)).modules
    baked = {cell.metadata["number"]: next(output.data["text/html"] for output in cell.outputs if "data" in output)
             for cell in cells if "bakes" in cell.metadata}  # fmt: skip
    put(chapter, baked)
    kept = {"hash": fingerprint(recipe(chapter, quick), modules), "modules": modules, "baked": baked}
    with contextlib.suppress(OSError):                # in a folder that cannot be written to, nothing is kept
        BAKED.mkdir(exist_ok=True)
        place(chapter, quick).write_text(json.dumps(kept), encoding="utf-8")


def fill(chapter, quick=False):
    """Put in what was baked before, if nothing it depends on has changed; whether that was so."""
    try:
        kept = json.loads(place(chapter, quick).read_text(encoding="utf-8"))
        if current := kept["hash"] == fingerprint(recipe(chapter, quick), kept["modules"]):
            put(chapter, kept["baked"])
        return current
    except (OSError, ValueError, KeyError):
        return False


def put(chapter, baked):
    """Give the cells their baked explorers, number -> HTML."""
    for number, figure in baked.items():
        chapter.cells[int(number) - 1].explorer = figure


def place(chapter, quick):
    """The file that keeps them."""
    return BAKED / f"{chapter.name}{'-quick' if quick else ''}.json"


def recipe(chapter, quick):
    """All that decides what is baked, but for `shared`."""
    cells = [(cell.number, cell.text, cell.shows_explorer) for cell in needed(chapter)]
    return json.dumps([cells, limit(chapter), quick, os.environ.get("COURSE_SEED", "0")]).encode()


def needed(chapter):
    """The cells to run so that every explorer can be made, in order; of some their imports only.

    The imports of all cells, the set-up and the cells that show an explorer are enough, unless one of these uses a name
    that none of them binds, or that another statement in between binds again: then every cell before it runs too.
    """
    known, last, short = {*dir(builtins), "display", "get_ipython"}, 0, []
    for cell in chapter.code:
        if "setup" in cell.tags or cell.shows_explorer:
            uses, binds = names(cell.text)
            known, last = known | binds, cell.number if uses - known else last
            short.append(cell)
        else:
            imports, rest = split(cell.text)
            known = (known | names(imports)[1]) - names(rest)[1]
            short.append(replace(cell, text=imports))
    end = max((cell.number for cell in chapter.code if cell.shows_explorer), default=0)
    cells = [cell if cell.number <= last else part for cell, part in zip(chapter.code, short)]
    return [cell for cell in cells if cell.number <= end and cell.text]


def split(source):
    """A cell as its import statements and its other statements."""
    parts = "", ""
    with contextlib.suppress(SyntaxError):            # a magic command: neither
        body = ast.parse(source).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        rest = [node for node in body if node not in imports]
        parts = ast.unparse(ast.Module(imports, [])), ast.unparse(ast.Module(rest, []))
    return parts


def names(source):
    """(names that a cell looks up before it binds them, names that it binds), statement by statement."""
    uses, binds = set(), set()
    with contextlib.suppress(SyntaxError):            # a magic command: no name
        for node in ast.parse(source).body:
            found = list(symbols(symtable.symtable(ast.unparse(node), "cell", "exec")))
            changed = {ast.unparse(part.target) for part in ast.walk(node) if isinstance(part, ast.AugAssign)}
            uses |= ({symbol.get_name() for symbol in found if symbol.is_referenced()} | changed) - binds
            binds |= {symbol.get_name() for symbol in found if symbol.is_assigned() or symbol.is_imported()}
    return uses, binds


def symbols(table):
    """The symbols of the kernel's namespace in a piece of code and in the functions in it."""
    yield from (symbol for symbol in table.get_symbols() if table.get_type() == "module" or symbol.is_global())
    for child in table.get_children():
        yield from symbols(child)


def limit(chapter):
    """Bytes for each explorer of a chapter, so that its deck stays within LIMIT."""
    count = sum(cell.shows_explorer for cell in chapter.cells)
    pictures = sum(len(data) for cell in chapter.cells if not cell.shows_explorer
                   for item in cell.outputs if (data := item.get("data", {}).get("image/png")))  # fmt: skip
    room = LIMIT - 2_000_000 - pictures               # MathJax, reveal.js, text and formulas
    return min(LIMIT_EXPLORER, room // max(count, 1)) // 100_000 * 100_000


# ------------------------------------------------------------------------------------------------------- in the kernel
def show(explorer, limit, quick):
    """Display an explorer as HTML of at most so many bytes (a little more is let pass)."""
    from IPython.display import HTML, display

    from shared.figures.live import baked_html

    figure = baked_html(explorer, quick_grid(explorer) if quick else None, script=False, limit=limit)
    if len(figure) > 1.02 * limit:
        raise ValueError(f"its explorer takes {len(figure) / 1e6:.1f} MB, at most {limit / 1e6:.1f}; "
                         "give it fewer live vertices or a coarser grid")
    display(HTML(figure))


def quick_grid(explorer):
    """A coarse grid: three values of sliders, two of menus, as many controls as QUICK_FRAMES allow; for tests."""
    grid, frames = {}, 1
    for name, control in explorer.controls.items():
        if control.kind in ("play", "choices") or control.when:
            continue
        count = {"slider": 3, "point": 5}.get(control.kind, 2)
        grid[name] = count if frames * count <= QUICK_FRAMES else 1
        frames *= grid[name]
    return grid
