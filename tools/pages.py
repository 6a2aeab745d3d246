"""What decks (tools/slides.py) and reading pages (tools/site.py) share: a built notebook as pieces of HTML.

Text, code and stored outputs come from the notebook as it stands. Only the explorers are computed again: a cell whose
last expression calls `<module>.explorer(...)` is run together with the statements that it needs, and baked, so that it
answers without a kernel. What was baked is kept in `.baked/` until the cells or the files of `shared` they used change.
"""

import argparse
import ast
import base64
import contextlib
import hashlib
import html
import io
import json
import os
import re
import symtable
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from run import ONE_THREAD, QUIET
from tools.build import SCOPES, dependencies

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS, VENDOR, WEB, BAKED = ROOT / "chapters", ROOT / "tools" / "vendor", ROOT / "tools" / "web", ROOT / ".baked"
LIMIT, LIMIT_EXPLORER = 8_000_000, 1_500_000          # bytes of a deck or page, of an explorer
QUICK_FRAMES = 12                                     # of an explorer that a test bakes


class PageError(Exception):
    """What stops a deck or a page; its text is one line that names the chapter and the cell."""


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
    def question(self):
        """The question the course asks of this chapter, if shared/course.py knows it."""
        from shared.course.outline import CHAPTERS as course

        return next((chapter.question for chapter in course if chapter.number == self.number), "")


def chapters(names=(), folder=CHAPTERS):
    """The chapters meant by numbers, names or paths; all that are built for none."""
    every = sorted(folder.glob("[0-9]*.ipynb"))
    chosen = []
    for name in names or [path.stem for path in every]:
        stem = Path(name).stem
        found = [path for path in every if path.stem == stem or path.stem.split("_")[0] == stem.zfill(2)]
        if not found:
            raise PageError(f"no chapter {name!r}; there are: {', '.join(path.stem for path in every) or 'none'}")
        chosen += found
    return [load(path) for path in chosen]


def load(path):
    """A chapter from its notebook."""
    cells = []
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
        slide = cell.metadata.get("slideshow", {}).get("slide_type") or "-"
        outputs = cell.get("outputs", [])
        if cell.cell_type == "code" and not outputs and (cell.source.strip() and cell.execution_count is None):
            raise PageError(f"{path.stem} is not executed: python3 run.py build {path.stem}")
        cells.append(Cell(number, cell.cell_type, cell.source, slide, cell.metadata.get("tags", []), outputs))
    return Chapter(path.stem, cells)


# ------------------------------------------------------------------------------------------------------ text to HTML
def _math(wrap, delimiters):
    """A rule of the renderer: the formula as it stands, escaped, between what MathJax looks for."""
    return lambda self, tokens, i, options, env: (
        f'<{wrap} class="math">{delimiters[0]}{html.escape(tokens[i].content)}{delimiters[1]}</{wrap}>')


def _heading(self, tokens, i, options, env):
    """Headings get an id from their text, so that contents and search can point at them."""
    words = "".join(child.content for child in tokens[i + 1].children if child.type in ("text", "code_inline"))
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "section"
    seen = env.setdefault("slugs", {})
    seen[slug] = seen.get(slug, 0) + 1
    slug += f"-{seen[slug]}" if seen[slug] > 1 else ""
    level = int(tokens[i].tag[1])
    env.setdefault("headings", []).append((level, slug, tokens[i + 1].content))
    return f'<h{level} id="{slug}">'


def _renderer():
    md = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    md.use(dollarmath_plugin, allow_labels=False, allow_space=True, allow_digits=True, double_inline=True)
    md.use(amsmath_plugin)
    md.add_render_rule("math_inline", _math("span", (r"\(", r"\)")))
    md.add_render_rule("math_inline_double", _math("div", (r"\[", r"\]")))
    md.add_render_rule("math_block", _math("div", (r"\[", r"\]")))
    md.add_render_rule("amsmath", _math("div", (r"\[", r"\]")))
    md.add_render_rule("heading_open", _heading)
    md.add_render_rule("fence", lambda self, tokens, i, options, env: code(tokens[i].content, tokens[i].info or "text"))
    md.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0" role="group"><table>')
    md.add_render_rule("table_close", lambda *_: "</table></div>")
    return md


MARKDOWN = _renderer()


def markdown(text, env=None):
    """Markdown with LaTeX as HTML; `env` collects the headings of a whole chapter."""
    return MARKDOWN.render(text, {} if env is None else env)


def code(source, language="python"):
    """Highlighted source. `--columns` lets a slide choose a size at which the longest line fits."""
    source = source.strip("\n")
    try:
        inside = highlight(source, get_lexer_by_name(language.split()[0]), HtmlFormatter(nowrap=True)).rstrip("\n")
    except ClassNotFound:
        inside = html.escape(source)
    columns = max(map(len, source.splitlines() or [""]))
    return f'<pre class="code" tabindex="0" style="--columns:{max(columns, 40)}"><code>{inside}</code></pre>'


def outputs(cell):
    """What a cell shows: its baked explorer, or its stored outputs."""
    if cell.explorer:
        return f'<div class="explorer">{cell.explorer}</div>'
    return "\n".join(filter(None, (output(item, cell) for item in cell.outputs)))


def output(item, cell):
    if item["output_type"] == "stream":
        return printed(item["text"])
    if item["output_type"] == "error":
        raise PageError(f"cell {cell.number} stopped with {item['ename']}: {item['evalue']}")
    data = item["data"]
    if "image/png" in data:
        about = item.get("metadata", {}).get("image/png", {})
        size = "".join(f' {side}="{about[side]}"' for side in ("width", "height") if side in about)
        alt = html.escape(about.get("alt") or data.get("text/plain", ""))
        png = data["image/png"].replace("\n", "")
        return f'<img class="figure" alt="{alt}"{size} src="data:image/png;base64,{png}">'
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    if "text/html" in data:
        return data["text/html"]
    if "text/latex" in data:
        return markdown(data["text/latex"])
    return printed(data.get("text/plain", ""))


def printed(text):
    """Printed text; claims ("✓ ...") stand out."""
    parts = []
    for is_claim, lines in _runs(text.rstrip("\n").split("\n"), lambda line: line.startswith("✓ ")):
        if is_claim:
            parts += [f'<p class="claim">{html.escape(line)}</p>' for line in lines]
        elif any(line.strip() for line in lines):
            columns = max(map(len, lines))
            parts.append(f'<pre class="printed" tabindex="0" style="--columns:{max(columns, 40)}">'
                         f"{html.escape(chr(10).join(lines))}</pre>")
    return "\n".join(parts)


def _runs(items, key):
    """Neighbours with the same key: [(key, items), ...]."""
    runs = []
    for item in items:
        if not runs or runs[-1][0] != key(item):
            runs.append((key(item), []))
        runs[-1][1].append(item)
    return runs


def asset(name):
    """A file of tools/web or tools/vendor as text."""
    path = WEB / name
    return (path if path.exists() else VENDOR / name).read_text(encoding="utf-8")


def write(path, text):
    """Write a deck or a page; its size in MB, or PageError if that is too much."""
    size = len(text.encode()) / 1e6
    if size > LIMIT / 1e6:
        raise PageError(f"{path.stem}: {size:.1f} MB, at most {LIMIT / 1e6:.0f}: fewer or smaller pictures are needed")
    path.write_text(text, encoding="utf-8")
    return size


def live_script():
    """live.js as an inline module; `window.awake` is the promise that every baked figure has come to life."""
    source = (ROOT / "shared" / "live.js").read_text(encoding="utf-8")
    return f'<script type="module">\n{source}\nwindow.awake = awaken();\n</script>'


def packed(name):
    """A script, deflated and as base64: half of its size inside a page (web/unpack.js runs it)."""
    return base64.b64encode(zlib.compress(asset(name).encode(), 9)).decode()


# ---------------------------------------------------------------------------------------------------------- explorers
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


def program(cells):
    """What must run to bake the explorers: [(cell number, source, whether it is an explorer)], in order.

    Setup cells run whole; of the others, the statements on which an explorer's names depend.
    """
    statements = []                                   # (cell, node, its source)
    for cell in cells:
        if cell.kind != "code" or "exercise" in cell.tags or cell.text.lstrip().startswith(("check(", "%", "!")):
            continue
        try:
            body = ast.parse(cell.text).body
        except SyntaxError:
            continue
        lines = cell.text.splitlines()
        for node in body:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            statements.append((cell, node, "\n".join(lines[first - 1:node.end_lineno])))
    imported = {a.asname or a.name.split(".")[0] for _, node, _ in statements
                if isinstance(node, ast.Import | ast.ImportFrom) for a in node.names}
    shows = [i for i, (cell, node, _) in enumerate(statements)
             if cell.shows_explorer and (i + 1 == len(statements) or statements[i + 1][0] is not cell)]
    keep = set(shows) | {i for i, (cell, *_) in enumerate(statements) if "setup" in cell.tags}
    for last in shows:
        keep |= _slice([node for _, node, _ in statements[:last + 1]], imported)
    last = max(shows, default=-1)
    return [(statements[i][0].number, statements[i][2], i in shows) for i in sorted(keep) if i <= last]


def _slice(nodes, imported):
    """The statements on which the last one depends, by the names they bind and use."""
    late = set()                                      # names that functions look up when they are called
    while True:
        wanted, keep, found = _loads(nodes[-1])[0] | late, {len(nodes) - 1}, set(late)
        for i in range(len(nodes) - 2, -1, -1):
            sets, changes = _binds(nodes[i], imported)
            if (sets | changes) & wanted:
                now, later = _loads(nodes[i])
                wanted = (wanted - (sets - changes) | now | late)
                found |= later - imported
                keep.add(i)
        if found == late:
            return keep
        late = found


def _loads(node):
    """(names that a statement uses when it runs, names that functions in it look up when they are called)."""
    now, later = set(), set()
    if isinstance(node, ast.For):                     # what its body sets before using it, it does not need
        now, later = _loads(ast.Expr(node.iter))
        known = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        for part in node.body + node.orelse:
            used, deferred = _loads(part)
            now, later = now | used - known, later | deferred - known
            known |= _binds(part, set())[0]
        return now, later

    def visit(table, deferred):
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
                now.add(symbol.get_name())
                if deferred:
                    later.add(symbol.get_name())
        for child in table.get_children():
            visit(child, deferred or not child.get_name().endswith(("comp", "genexpr")))

    visit(symtable.symtable(ast.unparse(node), "cell", "exec"), False)
    return now, later


def _binds(node, imported):
    """(names that a statement sets, names whose objects it may change)."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}, set()
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {a.asname or a.name.split(".")[0] for a in node.names}, set()
    sets, changes = set(), set()
    parts = list(_walk(node))
    for part in [node, *parts]:
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            sets.add(part.id)
        elif isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store):
            changes |= _root(part)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            if not isinstance(part.value.func, ast.Name):         # x.append(...), but not show(...) and claim(...)
                changes |= _root(part.value.func)
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            changes |= {name for name in _root(part.func) if name.startswith("rng")}
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        changes |= sets                               # in a loop or a condition, perhaps not set at all
    return sets, changes - imported


def _walk(node):
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, SCOPES):
            yield from _walk(child)


def _root(node):
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def bake(found, quick=False, log=print):
    """Fill in the explorers of chapters, two chapters at a time; .baked keeps them while they are still right."""
    waiting = {}
    for chapter in found:
        steps = program(chapter.cells)
        if not any(shows for *_, shows in steps):
            continue
        key = _key(steps, limit := explorer_limit(chapter), quick)
        if (kept := _kept(chapter.name, key)) is None:
            waiting[chapter.name] = (chapter, (chapter.name, steps, limit, quick, key))
        else:
            _fill(chapter, kept)
    if not waiting:
        return
    os.environ.update(ONE_THREAD | {name: os.environ.get(name, value) for name, value in QUIET.items()})
    if log:
        log(f"baking the explorers of {', '.join(waiting)} ...")
    with ProcessPoolExecutor(min(2, len(waiting)), mp_context=get_context("spawn")) as pool:
        jobs = {name: pool.submit(bake_chapter, *job) for name, (_, job) in waiting.items()}
        for name, job in jobs.items():
            _fill(waiting[name][0], job.result())


def explorer_limit(chapter):
    """Bytes for each explorer of a chapter, so that its deck stays within LIMIT."""
    count = sum(cell.shows_explorer for cell in chapter.cells)
    pictures = sum(len(data) for cell in chapter.cells if not cell.shows_explorer
                   for item in cell.outputs if (data := item.get("data", {}).get("image/png")))
    room = LIMIT - 2_000_000 - pictures               # MathJax, reveal.js, text and formulas
    return min(LIMIT_EXPLORER, room // max(count, 1)) // 100_000 * 100_000


def bake_chapter(name, steps, limit, quick, key):
    """Run a chapter's steps and bake its explorers: {cell number: HTML}. Runs in a process of its own."""
    from shared.live import baked_html

    baked = {}
    for number, explorer in explorers(name, steps):
        with _naming(name, number):
            baked[number] = baked_html(explorer, quick_grid(explorer) if quick else None, script=False, limit=limit)
        if len(baked[number]) > 1.02 * limit:
            raise PageError(f"{name}, cell {number}: its explorer takes {len(baked[number]) / 1e6:.1f} MB, "
                            f"at most {limit / 1e6:.1f}; give it fewer live vertices or a coarser grid")
    modules = [module.__file__ for key_, module in list(sys.modules.items())
               if key_.split(".")[0] == "shared" and getattr(module, "__file__", None)]
    files = {file: _hash((ROOT / file).read_bytes()) for file in dependencies(modules)}
    text = json.dumps({"key": key, "files": files, "baked": baked})
    with contextlib.suppress(OSError):                # in a folder that cannot be written to, nothing is kept
        BAKED.mkdir(exist_ok=True)
        (BAKED / f"{name}{'-quick' if quick else ''}.json").write_text(text, encoding="utf-8")
    return baked


def explorers(name, steps):
    """Run a chapter's steps (`program`) in the folder of the chapters; yield (cell number, explorer)."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    names = {"__name__": "__main__"}
    with contextlib.chdir(CHAPTERS):
        for number, source, shows in steps:
            with _naming(name, number), contextlib.redirect_stdout(io.StringIO()):
                code = compile(source.strip(), f"{name}, cell {number}", "eval" if shows else "exec")
                explorer = eval(code, names)
            if shows:
                yield number, explorer


@contextlib.contextmanager
def _naming(name, number):
    """Within, whatever goes wrong is told in one line with the chapter and the cell."""
    try:
        yield
    except Exception as error:
        raise PageError(f"{name}, cell {number}: {type(error).__name__}: {error}") from None


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


def _key(steps, limit, quick):
    return _hash(json.dumps([steps, limit, quick]).encode())


def _hash(data):
    return hashlib.sha256(data).hexdigest()[:16]


def _kept(name, key):
    """What was baked before, if nothing it depends on has changed; else None."""
    for path in (BAKED / f"{name}.json", BAKED / f"{name}-quick.json"):
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] == key and all(_hash((ROOT / f).read_bytes()) == h for f, h in kept["files"].items()):
                return kept["baked"]
        except (OSError, ValueError, KeyError):
            continue
    return None


def _fill(chapter, baked):
    for number, figure in baked.items():
        chapter.cells[int(number) - 1].explorer = figure


def main(arguments, command, about, things, folder, build):
    """The command line of `run.py slides` and `run.py site`; whether it failed. `build(names, folder)` writes them."""
    parser = argparse.ArgumentParser(prog=f"run.py {command}", description=about)
    parser.add_argument("chapters", nargs="*", help="number, name or path; none for all")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=folder, help=f"where (default {folder.name}/)")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        written = build(options.chapters, options.to)
    except PageError as error:
        print(error)
        return True
    except OSError as error:
        print(f"cannot write to {options.to}: {error.strerror or error}")
        return True
    print(f"{things} written to {options.to}: {len(written)}, after {time.perf_counter() - start:.0f} s")
    return False
