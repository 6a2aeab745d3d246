"""Live figures as a reader meets them: in JupyterLab and in an exported page, with mouse and keyboard."""

import io

import pytest
from exported import different, screen
from lab import ROOT, Lab, names
from live_scene import scene
from PIL import Image

from shared.figures.live import baked_html
from tools.chapter import load

pytestmark = pytest.mark.browser

SCENE = "from live_scene import scene\ne = scene()\ne"
CHAPTERS = sorted(path.name for path in (ROOT / "chapters").glob("*.ipynb"))


def show(lab, notebook, *more, first=SCENE, name="scene.ipynb"):
    lab.open_notebook(notebook(name, first, *more))
    lab.run_all()
    lab.page.wait_for_selector(".live")
    (figure,) = lab.explorers()
    lab.settle(figure)
    return figure


def test_pixels_follow_every_control(lab, notebook):
    figure = show(lab, notebook)
    assert set(names(figure)) == {"lr", "landscape_name", "logarithmic", "methods", "start"}
    for name in names(figure):
        assert lab.drag(figure, name), f"{name}: the pixels did not follow"
    assert not lab.problems


def test_keys_stay_with_the_control(lab, notebook):
    figure = show(lab, notebook)
    slider = figure.locator("[data-control=lr] input")
    before = lab.settle(figure)
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    assert lab.follows(figure, before)
    slider.press("d")
    slider.press("d")  # would delete the cell
    start = figure.locator(".live-point")
    start.focus()
    left = start.evaluate("n => n.style.left")
    start.press("ArrowLeft")
    start.press("Shift+ArrowUp")
    lab.settle(figure)
    assert start.evaluate("n => n.style.left") != left
    assert lab.page.locator(".jp-Cell").count() == 1
    assert lab.run_code("print(e.lr, e.start)").strip() not in ("", "0.1 (1.5, 1.0)")


def test_playback_needs_no_kernel(lab, notebook):
    sent = []
    lab.page.on("websocket", lambda ws: ws.on("framesent", lambda payload: sent.append(payload)))
    figure = show(lab, notebook)
    full = lab.settle(figure)
    sent.clear()
    figure.locator(".live-bar button").first.click()
    lab.page.wait_for_timeout(800)
    painted = int(figure.get_attribute("data-painted"))
    lab.page.wait_for_timeout(1000)
    assert int(figure.get_attribute("data-painted")) > painted + 5
    assert not [p for p in sent if b"comm_msg" in (p if isinstance(p, bytes) else p.encode())]
    figure.locator(".live-bar button").first.click()  # pause: now the kernel learns the step
    assert lab.follows(figure, full)
    lab.page.wait_for_timeout(600)
    step = int(lab.run_code("print(e.step)"))
    assert 0 < step < 199
    assert figure.locator(".live-bar output").text_content() == f"{step} / 199"


def test_python_moves_the_figure(lab, notebook):
    figure = show(lab, notebook)
    before = lab.settle(figure)
    lab.run_code("e.set(lr=0.5, logarithmic=False)")
    assert lab.follows(figure, before)
    assert figure.locator("[data-control=lr] output").text_content() == "0.5"
    assert not figure.locator("[data-control=logarithmic] input").is_checked()
    assert "from 0.001 to 1" in lab.run_code("e.lr = 7")


# A slow figure in which a menu and a slider move each other, so that the kernel answers with values too.
SLOW = """
import time
from live_scene import axes, live_figure
from shared.figures.live import Choice, Slider
ax = axes()
(line,) = ax.plot([], [])
e = live_figure(ax, [line], [Choice("place", [f"place {i}" for i in range(12)]), Slider("k", 0, 11, 0, step=1)],
    compute=lambda k: time.sleep(0.12) or k, draw=lambda data: line.set_data([0, 10], [0, data / 3]),
    adjust=lambda changed, now: {"place": f"place {now['k']}"} if "k" in changed else {"k": int(now["place"][6:])})
e"""


@pytest.mark.parametrize("pause", [20, 100, 150, 300])
@pytest.mark.parametrize("name", ["place", "k"])
def test_an_answer_never_overwrites_a_newer_choice(lab, notebook, name, pause):
    figure = show(lab, notebook, first=SLOW)
    node = figure.locator(f"[data-control={name}]").locator("select, input")
    node.evaluate("""node => { window.seen = []; const look = () => {
        window.seen.push(Number(node.selectedIndex ?? node.value)); requestAnimationFrame(look); }; look(); }""")
    node.focus()
    for _ in range(10):
        node.press("ArrowDown" if name == "place" else "ArrowRight")
        lab.page.wait_for_timeout(pause)
    seen = lab.settle(figure)
    lab.page.wait_for_timeout(500)
    steps = lab.page.evaluate("window.seen")
    assert steps == sorted(steps) and steps[-1] == 10, "the control jumped back"
    assert figure.locator("[data-control=k] output").text_content() == "10"
    assert figure.locator("[data-control=place] select").input_value() == "place 10"
    assert lab.run_code("print(e.values, e.place, e.k)").strip() == "{'place': 'place 10', 'k': 10} place 10 10"
    assert lab.settle(figure) == seen
    lab.run_code("e.k = 3")
    assert lab.follows(figure, seen)
    lab.run_code("e.k = 10")
    lab.page.wait_for_timeout(300)
    assert lab.settle(figure) == seen, "the picture was another one"
    assert figure.locator(".live-error").text_content() == "" and not lab.problems


def test_the_step_that_python_sets_is_painted(lab, notebook):
    figure = show(lab, notebook)
    before = lab.settle(figure)
    lab.run_code("e.step = 20")
    assert lab.follows(figure, before)
    assert figure.locator(".live-bar output").text_content() == "20 / 199"


def test_error_is_shown(lab, notebook):
    figure = show(lab, notebook)
    lab.run_code("e.recipe.draw, old = (lambda values: 1 / 0), e.recipe.draw; e.lr = 0.3")
    alert = figure.locator(".live-error")
    alert.get_by_text("ZeroDivisionError: division by zero").wait_for(timeout=20_000)
    lab.run_code("e.recipe.draw = old; e.lr = 0.2")
    lab.settle(figure)
    assert alert.text_content() == ""


def test_running_again_closes_the_previous_figure(lab, notebook):
    count = "from ipywidgets.widgets.widget import _instances; print(len(_instances))"
    show(lab, notebook)
    before = lab.run_code(count)
    for _ in range(3):
        lab.run_all()
    for _ in range(20):
        lab.page.wait_for_timeout(250)
        if (after := lab.run_code(count)) == before:
            break
    assert after == before
    assert len(lab.explorers()) == 1


def test_pointer_on_a_scaled_figure(lab, notebook):
    lab.page.set_viewport_size({"width": 760, "height": 800})
    figure = show(lab, notebook)
    box = figure.locator("canvas").bounding_box()
    assert box["width"] < 700
    x0, y0, x1, y1, width, height = map(
        float,
        lab.run_code("b = e.fig.axes[0].get_position(); print(b.x0, b.y0, b.x1, b.y1, *e.fig.bbox.size)").split(),
    )
    at = x0 + 0.25 * (x1 - x0), 1 - (y0 + 0.75 * (y1 - y0))  # a quarter from the left, a quarter from the top
    lab.page.mouse.click(box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"])
    lab.settle(figure)
    x, y = eval(lab.run_code("print(e.start)"))
    assert (x, y) == pytest.approx((-1, 1), abs=0.03)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(explorer, file) of the scene as a page without a kernel."""
    explorer, path = scene(), tmp_path_factory.mktemp("page") / "page.html"
    explorer.step = 120
    grid = {"lr": 5, "start": 10}
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{baked_html(explorer, grid)}</body>", encoding="utf-8")
    return explorer, path


@pytest.fixture
def page(browser, exported):
    """The exported page as a Lab without a server; `problems` also holds every request but the page's own."""
    page = browser.new_page(viewport={"width": 1100, "height": 800}, device_scale_factor=2)
    lab = Lab(page, "", "")
    page.on(
        "request", lambda r: lab.problems.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None
    )
    page.goto(exported[1].as_uri())
    page.wait_for_selector(".live[data-painted]")
    yield lab
    page.close()


def test_exported_page_answers_without_a_kernel(page):
    (figure,) = page.explorers()
    assert set(names(figure)) == {"lr", "landscape_name", "logarithmic", "methods", "start"}
    for name in names(figure):
        assert page.drag(figure, name), f"{name}: the pixels did not follow"
    assert figure.get_by_text("this page has no kernel").is_visible()
    before = page.settle(figure)
    figure.locator(".live-bar button").nth(1).click()
    assert page.follows(figure, before)
    assert not page.problems


def test_browser_paints_what_matplotlib_draws(page, exported):
    (figure,) = page.explorers()
    page.settle(figure)  # the first frame is the one that was baked from the present values
    drawn = exported[0].png(2.0)
    assert different(screen(figure), drawn) < 0.005  # the ring of the point is an element of the page
    white = io.BytesIO()
    Image.new("RGB", Image.open(io.BytesIO(drawn)).size, "white").save(white, "png")
    assert different(white.getvalue(), drawn) > 0.05


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_explorers(lab, chapter):
    """Pictures before running, no widget that cannot be shown, and then every control of every explorer.

    The first chapter is run from its first cell to its last, as a reader would; of the others, which nbval runs too,
    the explorers and what they need.
    """
    lab.open_notebook(f"chapters/{chapter}")
    page = lab.page
    assert page.get_by_text("Error displaying widget").count() == 0
    if page.locator(".jp-OutputArea-output").count():
        assert page.locator(".jp-OutputArea-output img").count() > 0, "no picture before the first run"
    if chapter == CHAPTERS[0]:
        lab.run_all(timeout=400)
    else:
        lab.run_explorers(ROOT / "chapters" / chapter)
    page.wait_for_selector(".live", timeout=20_000)
    figures = lab.explorers()
    assert len(figures) == sum(cell.shows_explorer for cell in load(ROOT / "chapters" / chapter).cells)
    for i, figure in enumerate(figures):
        figure.scroll_into_view_if_needed()
        lab.settle(figure)
        for name in names(figure):
            assert lab.drag(figure, name), f"figure {i}: the pixels did not follow {name}"
        assert figure.locator(".live-error").text_content() == ""
    assert not lab.problems
