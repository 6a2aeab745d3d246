"""The reading pages as a reader meets them: one load per chapter, light and dark, with every request refused."""

import ast
import contextlib
import io
import warnings

import pytest
from exported import CHAPTERS, aside, assert_same_as_live, explorers_answer, offline, violations
from filelock import FileLock

from tools import site
from tools.assets import LIMIT
from tools.baked import needed
from tools.chapter import load

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory, worker_id):
    """The site, built once: the first worker of a run builds it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "reference.html").exists():
            aside(site.build, [load(path) for path in CHAPTERS], folder, quick=True, log=None)
    return folder


def live(chapter):
    """The explorers of a chapter, made by its cells in this process."""
    names = {"__name__": "__main__", "display": lambda *args, **options: None}
    for cell in needed(chapter):
        body = ast.parse(cell.text).body
        shown = ast.Expression(body.pop().value) if cell.shows_explorer else None
        with contextlib.chdir(CHAPTERS[0].parent), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)      # as a kernel does
            exec(compile(ast.Module(body, []), f"{chapter.name}, cell {cell.number}", "exec"), names)
            explorer = shown and eval(compile(shown, "explorer", "eval"), names)
        if shown:
            yield explorer


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_page(browser, folder, path):
    page_file, chapter = folder / f"{path.stem}.html", load(path)
    assert page_file.stat().st_size < LIMIT
    lab = offline(browser, page_file)
    page = lab.page
    assert page.locator("h1").text_content() == chapter.title
    pictures = page.locator("main img.figure")
    assert pictures.count() == sum(
        "image/png" in o.get("data", {}) for c in chapter.cells for o in c.outputs if not c.shows_explorer)
    assert pictures.evaluate_all("images => images.every(i => i.complete && i.naturalWidth > 0 && i.alt.length > 10)")
    assert page.locator("mjx-container").count() >= page.locator("span.math").count()
    assert page.locator("mjx-merror, main [data-mjx-error]").count() == 0
    left = page.locator("main").evaluate(
        """main => [...main.querySelectorAll('p, li, td, summary')].map(node => node.textContent)
            .filter(text => /\\$|\\\\[(\\[]/.test(text)).map(text => text.slice(0, 80))""")
    assert left == [], "formulas that were not typeset"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    figures = page.locator(".live")
    assert figures.count() == sum(cell.shows_explorer for cell in chapter.cells)
    explorers_answer([figures.nth(i) for i in range(figures.count())])
    for i, explorer in enumerate(live(chapter)):
        assert_same_as_live(figures.nth(i), explorer)

    links = page.locator("nav.contents a")
    assert links.count() > 3
    assert links.evaluate_all("all => all.every(a => document.getElementById(decodeURIComponent(a.hash.slice(1))))")
    neighbours = page.locator(".turn a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert neighbours and all((folder / name).exists() for name in neighbours) or len(CHAPTERS) == 1

    assert violations(page, "body") == []
    page.locator("#theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    if path == CHAPTERS[-1]:                          # the colours are the same in all
        assert violations(page, "body", ["color-contrast"]) == []
    assert lab.problems == []
    page.close()


def test_index_and_search(browser, folder):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
    page.goto((folder / "index.html").as_uri())
    cards = page.locator(".cards a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert cards == [f"{path.stem}.html" for path in CHAPTERS]
    assert page.locator(".cards li").count() == 9
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        assert violations(page, "body") == [], theme
    page.keyboard.press("/")
    page.keyboard.type("learning rate")
    hit = page.locator("#found a").first
    hit.wait_for()
    file, anchor = hit.get_attribute("href").split("#")
    assert f'id="{anchor}"' in (folder / file).read_text(encoding="utf-8")
    page.close()
