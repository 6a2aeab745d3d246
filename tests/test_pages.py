"""Decks and pages: what of a notebook is run again for its explorers, and what becomes of text, outputs and slides."""

import ast
import re

import pytest

import run
from shared.figures.live import baked_html
from tools import BuildError, api, baked, rendering, slides
from tools.chapter import Cell, Chapter, calls_explorer, chapters
from tools.source import read, sources

SETUP = "from shared.explorers import basins, tuning\nn, digits = 3, range(10)"


def chapter(*texts):
    """A chapter of code cells; the first is the set-up."""
    return Chapter("1_x", [Cell(i, "code", text, "-", ["setup"] if i == 1 else [], [])
                           for i, text in enumerate(texts, 1)])  # fmt: skip


NEEDED = {
    "the set-up is enough": (["a = 1", "basins.explorer(n)", "later = 2"], [1, 3]),
    "two explorers": (["basins.explorer()", "a = 1", "tuning.explorer(len(digits))"], [1, 2, 4]),
    "another cell makes what it shows": (["a = 1", "b = 2", "basins.explorer(a)", "c = 3"], [1, 2, 3, 4]),
    "in a function": (["a = 1", "basins.explorer(lambda x: x + a)"], [1, 2, 3]),
    "the set-up's name means something else by then": (["n = 4", "basins.explorer(n)"], [1, 2, 3]),
    "a loop rebinds it": (["for n in digits:\n    pass", "basins.explorer(n)"], [1, 2, 3]),
    "its import stands elsewhere": (["from shared import other\na = 1", "other.explorer(n)"], [1, "imports of 2", 3]),
    "imported, then something else": (["import other\nother = 1", "other.explorer(n)"], [1, 2, 3]),
    "rebound afterwards": (["basins.explorer(n)", "n = 4"], [1, 2]),
    "an argument of that name": (["f = lambda n: n", "basins.explorer(n)"], [1, 3]),
    "the later one decides": (["a = 1", "basins.explorer()", "b = 2", "tuning.explorer(a)"], [1, 2, 3, 4, 5]),
    "magic commands": (["%timeit n = 4", "basins.explorer(n)"], [1, 3]),
    "it imports what it shows": (["a = 1", "from shared import other\nother.explorer(n)"], [1, 3]),
    "it makes what it shows": (["a = 1", "b = n\nb += 1\nbasins.explorer(b)"], [1, 3]),
    "it goes on from what another made": (["a = 1", "a = a + 1\nbasins.explorer(a)"], [1, 2, 3]),
    "a loop goes on from what another made": (["a = 1", "for _ in digits:\n    a += 1\nbasins.explorer(a)"], [1, 2, 3]),
    "an explorer's cell is run anyway": (["a = 1\nbasins.explorer(a)", "b = 2", "tuning.explorer(a)"], [1, 2, 4]),
    "no explorer": (["a = 1"], []),
}


@pytest.mark.parametrize("texts, numbers", NEEDED.values(), ids=NEEDED)
def test_cells_that_explorers_need(texts, numbers):
    whole = chapter(SETUP, *texts)
    run = [cell.number if cell in whole.cells else f"imports of {cell.number}" for cell in baked.needed(whole)]
    assert run == numbers


def test_most_chapters_need_not_be_run_for_their_explorers():
    """A deck of one that is takes half a minute more."""
    whole = set()
    for source in sources():
        cells = [Cell(i, cell.cell_type, cell.source, "-", cell.metadata.get("tags", []), [])
                 for i, cell in enumerate(read(source).cells, 1)]  # fmt: skip
        run = baked.needed(made := Chapter(source.stem, cells))
        if any(cell in made.cells and not cell.shows_explorer and "setup" not in cell.tags for cell in run):
            whole.add(made.number)
    assert whole <= {1}


def test_explorers_are_baked_from_what_the_cells_make(monkeypatch, tmp_path):
    """In a kernel, with what the chapter's cells have made; then from what was kept."""
    monkeypatch.setattr(baked, "BAKED", tmp_path)
    texts = ["import numpy as np\nfrom shared.explorers import tuning", "for _ in range(3):\n    pass",
               "rates = np.geomspace(1e-3, 10, 5)\nlosses = np.random.default_rng(0).uniform(1, 2, (3, 4, 5))",
               "tuning.explorer(rates, np.arange(4), losses, losses)"]  # fmt: skip
    made = chapter(*texts)
    baked.bake([made], quick=True, log=None)
    again = chapter(*texts)
    monkeypatch.setattr(baked, "run", None)
    baked.bake([again], quick=True, log=None)
    assert made.cells[3].explorer == again.cells[3].explorer
    here = {}
    exec("\n".join(texts[:-1] + [f"explorer = {texts[-1]}"]), here)
    figure = here["explorer"]
    assert made.cells[3].explorer == baked_html(figure, baked.quick_grid(figure), script=False)


FAULTS = {
    "its cell fails": ("tuning.explorer(1 / 0)", "ZeroDivisionError: division by zero"),
    "not a live figure": ("tuning.explorer()", "AttributeError: "),
    "a name nobody binds": ("tuning.explorer(nobody)", "NameError: name 'nobody' is not defined"),
}


@pytest.mark.parametrize("source, message", FAULTS.values(), ids=FAULTS)
def test_an_explorer_that_cannot_be_baked_is_named(monkeypatch, tmp_path, source, message):
    monkeypatch.setattr(baked, "BAKED", tmp_path)
    made = chapter("class tuning:\n    explorer = staticmethod(lambda x=1: 5)", "a = 1", source)
    with pytest.raises(BuildError, match=re.escape(f"1_x, cell 3: {message}")):
        baked.bake([made], log=None)
    assert list(tmp_path.iterdir()) == []


def test_an_explorer_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("shared.figures.live.baked_html", lambda *args, **options: "x" * 1_600_000)
    with pytest.raises(ValueError, match="its explorer takes 1.6 MB, at most 1.5; give it fewer live vertices"):
        baked.show(None, 1_500_000, quick=False)


def test_explorers_are_recognised():
    assert calls_explorer("n = 3\nbasins.explorer(n)")
    assert not calls_explorer("e = basins.explorer()\ne.png()")
    assert not calls_explorer("%timeit explorer()")


def test_formulas_reach_mathjax_as_they_are():
    assert r'<span class="math">\(a_1 &lt; b_1\)</span>' in rendering.markdown("so $a_1 < b_1$ holds")
    assert r'<div class="math">\[' in rendering.markdown("text\n\n$$x_{t+1}\n= x_t$$\n\nmore")
    assert '<pre class="code"' in rendering.markdown("```python\nx = '$5'\n```")
    assert "math" not in rendering.markdown("`$x$`")


def test_claims_stand_out_and_text_is_escaped():
    assert rendering.printed("✓ a < b\n1 < 2\n").startswith('<p class="claim">✓ a &lt; b</p>')


def test_slides_follow_the_marks():
    marked = [("# Title", "slide"), ("more", "-"), ("hidden", "skip"), ("## Next", "subslide"), ("bit", "fragment"),
              ("say", "notes"), ("no heading", "subslide"), ("## Last", "slide")]  # fmt: skip
    found = [Cell(i, "markdown", text, slide, [], []) for i, (text, slide) in enumerate(marked, 1)]
    html = slides.sections(Chapter("01_x", found))
    assert html.count('<div class="body">') == 4 and html.count('class="cell fragment"') == 1
    assert "hidden" not in html and '<aside class="notes"><p>say</p>' in html
    assert '<div class="running">Next</div>' in html  # a slide without a heading says where it belongs


def test_unknown_chapter_is_named():
    with pytest.raises(BuildError, match="no chapter '99'; there are: 01_"):
        chapters(["99"])


def test_every_public_name_says_what_it_is():
    missing = [f"{dotted}: {getattr(node, 'name', 'the module')}" for dotted, tree in api.modules()
               for node in [tree, *api.public(tree)] if not ast.get_docstring(node)]
    assert missing == []


def test_the_reference_shows_signatures_and_boxes():
    body, headings = api.body()
    assert (3, "shared.optimizers.adaptive.Adam", "Adam") in headings
    assert "class Adam(lr=0.001, betas=(0.9, 0.999)" in body
    assert "x ← x − η" in body and "def _" not in body


def test_the_reference_has_packages_of_data_but_not_the_answers(monkeypatch, tmp_path):
    for name in ("shared/data/sets.py", "shared/course/bank/ch01.py", "shared/_own.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(api, "ROOT", tmp_path)
    monkeypatch.setattr(api, "SHARED", tmp_path / "shared")
    assert [dotted for dotted, _ in api.modules()] == ["shared.data.sets"]


TOOLS = sorted((run.ROOT / "tools").glob("*.py"))


@pytest.mark.parametrize("path", TOOLS[1:], ids=lambda path: path.stem)
def test_a_tool_imports_what_it_says(path):
    """The contract at the end of a docstring: `May import: ...`, of run, shared and tools."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    contract = re.search(r"^May import: (.*)", ast.get_docstring(tree), re.M | re.S)[1]
    allowed, used = set(re.findall(r"\b(?:run|shared|tools)\b(?:\.\w+)*", contract)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["tools" if node.level else "", node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
            used |= {name if base == "tools" and (run.ROOT / "tools" / f"{name[6:]}.py").exists() else base
                     for name in names}  # fmt: skip
        elif isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
    used = {name for name in used if name.split(".")[0] in ("run", "shared", "tools")}
    assert not {name for name in used if name not in allowed and name.split(".")[0] not in allowed - {"tools"}}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
