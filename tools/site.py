"""Write the reading pages: `python -m tools.site [--to FOLDER]`, an index and one page per chapter.

A page holds its text, pictures and baked explorers; the style, MathJax and the search index lie beside it in `assets/`.
All links are relative and nothing is fetched from elsewhere, so the folder works on any static host and from a disk.

May import: run, shared (its list of chapters); tools.api, tools.assets, tools.baked, tools.publishing, tools.rendering.
"""

import html
import json
import re
import sys

from run import ROOT

from . import api, publishing
from .assets import asset, live_script, write
from .baked import bake
from .rendering import MARKDOWN, code, markdown, outputs

SITE = ROOT / "site"
COURSE = "Optimization algorithms for deep learning"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<script>{theme}</script>
<link rel="stylesheet" href="assets/style.css">
</head>
<body>
<a class="skip" href="#content">to the text</a>
<header><a href="index.html">{course}</a>
<div role="search"><input id="search" type="search" placeholder="search  ( / )" aria-label="search all chapters"
autocomplete="off"></div>
<ul id="found" aria-live="polite"></ul>
<button id="theme" type="button">light / dark</button></header>
<div class="layout">
<nav class="contents" aria-label="contents"><ol>{contents}</ol></nav>
<main id="content">
{body}
</main>
</div>
{scripts}
<script src="assets/pages.js"></script>
</body>
</html>
"""
WELCOME = """<p>Nine chapters to read before you run anything. The figures answer here too: their values were sampled
ahead, so nothing needs to be installed. In the notebooks every value can be reached, every line of code runs, and the
exercises tell you at once what is wrong.</p>"""
REFERENCE = '<p>For those who read code: <a href="reference.html">the reference of every public name</a>.</p>'
ASSETS = {
    "style.css": ("code.css", "pages.css"),
    "pages.js": ("pages.js",),
    "mathjax.js": ("mathjax.js", "tex-svg-full.js"),
}


def page(chapter, every):
    """A chapter as a reading page, and its sections for the search: (HTML, [(page, id, chapter, heading, text)])."""
    env, cells = {}, []
    for cell in chapter.cells:
        if shown := reading(cell, env):
            cells.append(f'<div class="cell{" note" if cell.slide == "notes" else ""}">{shown}</div>')
    body = f'<p class="kicker">Chapter {chapter.number}</p>\n' + "\n".join(cells) + turn(chapter, every)
    headings = [(level, slug, words) for level, slug, words in env.get("headings", []) if level in (2, 3)]
    contents = "\n".join(
        f'<li><a href="#{slug}"{" class=deep" if level == 3 else ""}>{inline(words)}</a></li>'
        for level, slug, words in headings)
    scripts = '<script src="assets/mathjax.js"></script>\n' + live_script()
    text = frame(f"{chapter.number} {chapter.title}", contents, body, scripts)
    return text, sections(chapter, "\n".join(cells))


def reading(cell, env):
    """A cell as one reads it: the code that draws a figure is folded, definitions and experiments are not."""
    if cell.kind == "markdown":
        return markdown(cell.text, env)
    if not cell.text.strip():
        return ""
    source = code(cell.text)
    if cell.shows_figure or "setup" in cell.tags:
        name = "imports" if "setup" in cell.tags else "code of this figure"
        source = f'<details class="source"><summary>{name}</summary>{source}</details>'
    return source + outputs(cell)


def turn(chapter, every):
    """Links to the chapters before and after."""
    at = [c.name for c in every].index(chapter.name)
    before = f'<a rel="prev" href="{every[at - 1].name}.html">← {html.escape(every[at - 1].title)}</a>' if at else ""
    after = every[at + 1] if at + 1 < len(every) else None
    after = f'<a rel="next" href="{after.name}.html">{html.escape(after.title)} →</a>' if after else ""
    return f'<nav class="turn" aria-label="chapters"><span>{before}</span><span>{after}</span></nav>'


def sections(chapter, body):
    """The page cut at its headings, as plain text, for the search."""
    body = re.sub(r"<(script|style|pre)\b.*?</\1>", " ", body, flags=re.S)
    body = re.sub(r'<(span|div) class="math">.*?</\1>', "…", body, flags=re.S)
    parts = re.split(r'<h[1-3] id="([^"]*)">(.*?)</h[1-3]>', body, flags=re.S)
    found = []
    for slug, heading, text in zip(parts[1::3], parts[2::3], parts[3::3]):
        words = [html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", part))).strip() for part in (heading, text)]
        found.append((f"{chapter.name}.html", slug, chapter.number, *words))
    return found


def inline(words):
    """A heading in the contents: without its formula marks, which are shown as text."""
    return MARKDOWN.renderInline(re.sub(r"\$([^$]*)\$", r"\1", words))


def index(every):
    """The first page: the chapters with their questions; those that are not built yet are named."""
    from shared.course.outline import CHAPTERS

    built, cards = {chapter.number: chapter for chapter in every}, []
    for number, title, question, _ in CHAPTERS:
        words = f"<strong>{number} {html.escape(title)}</strong><span>{html.escape(question)}</span>"
        if chapter := built.get(number):
            cards.append(f'<li><a href="{chapter.name}.html">{words}</a></li>')
        else:
            cards.append(f'<li><div class="later">{words}</div></li>')
    body = f'<h1>{COURSE}</h1>\n{WELCOME}\n<ol class="cards">' + "\n".join(cards) + "</ol>" + REFERENCE
    contents = "\n".join(f'<li><a href="{c.name}.html">{c.number} {html.escape(c.title)}</a></li>' for c in every)
    contents += '\n<li><a href="reference.html">Reference of the code</a></li>'
    return frame(COURSE, contents, body, "")


def reference():
    """The page of `shared`'s public names, and its sections for the search."""
    body, headings = api.body()
    contents = "\n".join(f'<li><a href="#{slug}">{html.escape(words)}</a></li>' for level, slug, words in headings
                         if level == 2)
    found = [("reference.html", slug, "code", words, "") for _, slug, words in headings]
    return frame("Reference of the code", contents, body, ""), found


def frame(title, contents, body, scripts):
    """A whole page around its contents list, its text and its scripts."""
    return PAGE.format(title=html.escape(title), course=COURSE, theme=asset("theme.js"), contents=contents,
                       body=body, scripts=scripts)


def build(every, folder=SITE, quick=False, log=print):
    """Write the index, the pages of chapters and their assets; the paths of the pages."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)   # if that fails, before the minutes that baking takes
    bake(every, quick, log)
    search, written = [], [folder / "index.html"]
    written[0].write_text(index(every), encoding="utf-8")
    for chapter in every:
        text, found = page(chapter, every)
        search += found
        written.append(folder / f"{chapter.name}.html")
        size = write(written[-1], text)
        if log:
            log(f"{written[-1].name}: {size:.1f} MB")
    text, found = reference()
    search += found
    written.append(folder / "reference.html")
    write(written[-1], text)
    for name, parts in ASSETS.items():
        (folder / "assets" / name).write_text("\n".join(map(asset, parts)), encoding="utf-8")
    known = f"window.SECTIONS = {json.dumps(search, ensure_ascii=False)};"
    (folder / "assets" / "search.js").write_text(known, encoding="utf-8")
    return written


def main(arguments=None):
    return publishing.main(arguments, "site", "Write the chapters as self-contained pages.", "pages", SITE, build)


if __name__ == "__main__":
    sys.exit(main())
