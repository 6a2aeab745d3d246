"""Write the decks: `python -m tools.slides [CHAPTER...] [--to FOLDER]`, one self-contained HTML file per chapter.

A deck follows the notebook's slide marks: slide, subslide, fragment, notes, skip, and - (goes on). Nothing is fetched:
reveal.js, MathJax, pictures and baked explorers are in the file. Open it in a browser; S is the speaker's view, C the
code of a slide, F full screen; `?view=print` at the end of the address is the form to print or to save as PDF.

May import: run, tools.assets, tools.baked, tools.publishing, tools.rendering.
"""

import html
import re
import sys

from run import ROOT

from . import publishing
from .assets import asset, live_script, packed, write
from .baked import bake
from .rendering import MARKDOWN, code, markdown, outputs

SLIDES = ROOT / "slides"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<div class="reveal"><main class="slides">
{slides}
</main></div>
<script>{mathjax_options}</script>
<script type="text/plain" id="mathjax">{mathjax}</script>
<script>{reveal}</script>
<script>{notes}</script>
{live}
<script type="module">
{script}
</script>
</body>
</html>
"""


BODY = '<div class="body">'
KEYS = ('<p class="keys">Page Down: on. S: speaker view. C: code of a slide. O: overview. F: full screen. '
        "Esc: from a figure back to the slides.</p>")


def deck(chapter):
    """A chapter, its explorers baked, as one HTML page."""
    return PAGE.format(
        title=html.escape(f"{chapter.number} {chapter.title}"),
        css=asset("reveal.css") + asset("code.css") + asset("slides.css"),
        slides=sections(chapter),
        mathjax_options=asset("mathjax.js"),
        mathjax=packed("tex-svg-full.js"),
        reveal=asset("reveal.js"),
        notes=asset("notes.js"),
        live=live_script(),
        script=asset("slides.js"),
    )


def sections(chapter):
    """The slides as nested sections: each `slide` a column, its `subslide`s below it."""
    columns = []                                      # of slides, which are lists of (cell, is a fragment)
    for cell in chapter.cells:
        if cell.slide == "skip" or not (cell.text.strip() or cell.outputs):
            continue
        if cell.slide == "slide" or not columns:
            columns.append([[]])
        elif cell.slide == "subslide":
            columns[-1].append([])
        columns[-1][-1].append(cell)
    parts, heading = [], ""
    for column in columns:
        parts.append("<section>")
        for slide in column:
            own = [line for cell in slide if cell.kind == "markdown" and cell.slide != "notes"
                   for line in re.findall(r"^#+ (.+)", cell.text, re.M)]
            parts.append(section(slide, chapter, "" if own else heading))
            heading = own[-1] if own else heading
        parts.append("</section>")
    return "\n".join(parts)


def section(cells, chapter, running=""):
    """One slide: what is seen, the code that made its figures (folded), the notes.

    A slide without a heading repeats the one before, small (`running`).
    """
    fold = any(cell.shows_figure or prints_source(cell) for cell in cells)
    body, folded, notes = [], [], []
    if running:
        body.append(f'<div class="running">{MARKDOWN.renderInline(running)}</div>')
    for cell in cells:
        if cell.slide == "notes":
            notes.append(markdown(cell.text) if cell.kind == "markdown" else code(cell.text))
            continue
        if cell.kind == "markdown":
            seen = markdown(cell.text)
        else:
            source, shown = code(cell.text), outputs(cell)
            if fold or is_long(cell):
                folded.append(source)
                source = ""
            seen = source + shown
        if seen:
            body.append(f'<div class="cell{" fragment" if cell.slide == "fragment" else ""}">{seen}</div>')
    title = any(cell.text.startswith("# ") and cell.kind == "markdown" for cell in cells)
    if title:
        body.insert(0, f'<p class="kicker">Chapter {chapter.number}</p>')
    kind = ' class="title"' if title else ""
    parts = [f'<section{kind} data-cell="{cells[0].number}">{BODY}{"".join(body)}</div>']
    if title:
        parts.append(KEYS)
    if folded:
        parts.append(f'<details class="source"><summary>code</summary><div>{"".join(folded)}</div></details>')
    if notes:
        parts.append(f'<aside class="notes">{"".join(notes)}</aside>')
    return "".join([*parts, "</section>"])


def prints_source(cell):
    """Whether a cell shows the source of something from `shared`."""
    return cell.kind == "code" and any("text/markdown" in output.get("data", {}) for output in cell.outputs)


def is_long(cell):
    """Whether code is folded even where no figure is: too long, or too wide to be read from the last row.

    It is not if it defines what the slide is about.
    """
    lines = cell.text.splitlines()
    defines = any(line.startswith(("def ", "class ", "@")) for line in lines)
    return not defines and (len(lines) > 16 or max(map(len, lines), default=0) > 110)


def build(chapters, folder=SLIDES, quick=False, log=print):
    """Write the decks of chapters; their paths."""
    folder.mkdir(parents=True, exist_ok=True)         # if that fails, before the minutes that baking takes
    bake(chapters, quick, log)
    written = []
    for chapter in chapters:
        text = deck(chapter)
        written.append(folder / f"{chapter.name}.html")
        size = write(written[-1], text)
        if log:
            log(f"{written[-1].name}: {text.count(BODY)} slides, {size:.1f} MB")
    return written


def main(arguments=None):
    return publishing.main(arguments, "slides", "Write one self-contained deck per chapter.", "decks", SLIDES, build)


if __name__ == "__main__":
    sys.exit(main())
