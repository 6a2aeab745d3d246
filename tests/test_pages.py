"""Decks and pages: what of a notebook is run again for its explorers, and what becomes of text, outputs and slides."""

import ast

import pytest

from tools import api, pages, slides
from tools.pages import Cell


def cells(*sources):
    return [Cell(i, "code", text, "-", ["setup"] if i == 1 else [], []) for i, text in enumerate(sources, 1)]


def run(*sources):
    """The source that is run for the explorers of these cells (the first is the set-up)."""
    return [source for _, source, _ in pages.program(cells(*sources))]


def test_only_what_an_explorer_needs_is_run():
    assert run("import numpy as np", "unused = 1", "a = 2\nb = a + 1\nc = 3", "m.explorer(b)", "later = 4") == [
        "import numpy as np", "a = 2", "b = a + 1", "m.explorer(b)"]  # fmt: skip


@pytest.mark.parametrize(
    "needed, other",
    [
        ("x = 1", "x = 0"),  # the last value counts
        ("x = []\nx.append(1)", "y = []\ny.append(1)"),
        ("x = {}\nfor k in range(3):\n    x[k] = k", "for x in range(3):\n    print(x)"),
        ("k = 2\ndef x(): return k", "def j(): return x"),  # a name that a function looks up when it is called
        ("rng = make(0)\nrng.normal()\nx = rng.normal()", "z = rng0.normal()"),
    ],
)
def test_names_lead_back_to_what_set_them(needed, other):
    program = "\n".join(run("", other, needed, "m.explorer(x)"))
    assert program == f"{needed}\nm.explorer(x)"


def test_explorers_are_recognised():
    assert pages.calls_explorer("n = 3\nbasins.explorer(n)")
    assert not pages.calls_explorer("e = basins.explorer()\ne.png()")
    assert not pages.calls_explorer("%timeit explorer()")


def test_formulas_reach_mathjax_as_they_are():
    assert r'<span class="math">\(a_1 &lt; b_1\)</span>' in pages.markdown("so $a_1 < b_1$ holds")
    assert r'<div class="math">\[' in pages.markdown("text\n\n$$x_{t+1}\n= x_t$$\n\nmore")
    assert '<pre class="code"' in pages.markdown("```python\nx = '$5'\n```") and "math" not in pages.markdown("`$x$`")


def test_claims_stand_out_and_text_is_escaped():
    assert pages.printed("✓ a < b\n1 < 2\n").startswith('<p class="claim">✓ a &lt; b</p>')


def test_slides_follow_the_marks():
    marked = [("# Title", "slide"), ("more", "-"), ("hidden", "skip"), ("## Next", "subslide"), ("bit", "fragment"),
              ("say", "notes"), ("no heading", "subslide"), ("## Last", "slide")]  # fmt: skip
    found = [Cell(i, "markdown", text, slide, [], []) for i, (text, slide) in enumerate(marked, 1)]
    html = slides.sections(pages.Chapter("01_x", found))
    assert html.count('<div class="body">') == 4 and html.count('class="cell fragment"') == 1
    assert "hidden" not in html and '<aside class="notes"><p>say</p>' in html
    assert '<div class="running">Next</div>' in html  # a slide without a heading says where it belongs


def test_unknown_chapter_is_named():
    with pytest.raises(pages.PageError, match="no chapter '99'; there are: 01_"):
        pages.chapters(["99"])


def test_every_public_name_says_what_it_is():
    missing = [f"{dotted}: {getattr(node, 'name', 'the module')}" for dotted, tree in api.modules()
               for node in [tree, *api.public(tree)] if not ast.get_docstring(node)]
    assert missing == []


def test_the_reference_shows_signatures_and_boxes():
    body, headings = api.body()
    assert (3, "shared.optimizers.adaptive.Adam", "Adam") in headings
    assert "class Adam(lr=0.001, betas=(0.9, 0.999)" in body
    assert "x ← x − η" in body and "def _" not in body
