"""Decks and reading pages in Chromium, with every request refused but for files beside them."""

import base64
import io
import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from lab import ROOT, Lab, acts, names
from PIL import Image

from shared.figures.live.baking import REACH

CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
AXE = ROOT / "tests" / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def aside(function, *arguments, **options):
    """The result of a function that has an event loop of its own: in another thread, Playwright's runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments, **options).result()


def offline(browser, path, width=1280, height=720):
    """A page as a Lab; `problems` holds console errors and every request for anything but files beside it."""
    page = browser.new_page(viewport={"width": width, "height": height})
    lab = Lab(page, "", "")
    refused = lambda route: (lab.problems.append(route.request.url), route.abort())
    page.route(lambda url: not url.startswith(("file:", "data:", "blob:")), refused)
    page.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.ready === 'all'", timeout=90_000)
    return lab


def violations(page, within, rules=RULES):
    """What axe-core finds inside an element, one line each. Formulas are left out: MathJax gives them a spoken form."""
    if page.evaluate("typeof axe") == "undefined":
        page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        """async ([within, options]) => (await axe.run({ include: [within], exclude: ['mjx-container'] },
            { runOnly: options, preload: false, resultTypes: ['violations'] })).violations
                .flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 160)}`))""",
        [within, rules],
    )
    return found


def pixels(figure):
    """What a figure shows, small: its background with its canvas above it."""
    return figure.evaluate("""root => {
        const small = new OffscreenCanvas(320, 160), context = small.getContext('2d');
        for (const part of root.querySelectorAll('img, canvas')) context.drawImage(part, 0, 0, 320, 160);
        return context.getImageData(0, 0, 320, 160).data.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0);
    }""")


def answers(figure, name):
    """Whether the pixels follow when a reader moves a control: 2 s at most for each of the ways to move it."""
    for act in acts(figure, name):
        before = pixels(figure)
        if act() is False:
            continue
        for _ in range(20):
            if pixels(figure) != before:
                return True
            figure.page.wait_for_timeout(100)
    return False


def explorers_answer(figures):
    """A control of every explorer, moved as a reader does, moves the pixels."""
    for i, figure in enumerate(figures):
        drawn = [name for name in names(figure) if figure.locator(f"[data-control={name}]").first.is_visible()]
        assert drawn, f"explorer {i} has no control"
        assert any(answers(figure, name) for name in drawn), f"explorer {i} does not answer: {drawn}"
        assert figure.get_by_text("this page has no kernel").count() == 1
        assert figure.locator(".live-error").text_content() == ""


def assert_same_as_live(figure, explorer, frames=2):
    """Fail unless the page shows, at some of its sampled values, what matplotlib draws of the live figure there."""
    baked = figure.locator("xpath=..")
    body = baked.evaluate("el => JSON.parse(el.querySelector('script').textContent).body")
    sampled = [frame["values"] for frame in json.loads(zlib.decompress(base64.b64decode(body)))["frames"]]
    compared = 0
    n = len(sampled)
    for i in dict.fromkeys([0, n // 2, n - 1, *range(n)]):  # far apart first
        values = sampled[i]
        menus = {name: value for name, value in values.items() if explorer.controls[name].kind in ("choice", "toggle")}
        explorer.set(**menus)
        explorer.set(**{name: value for name, value in values.items() if name not in menus})
        if np.abs(np.nan_to_num(np.frombuffer(explorer.frame().scene["xy"], np.float32))).max(initial=0) > REACH:
            continue                                  # diverged: a page draws the way there, not the distance
        baked.evaluate("(el, values) => el.model.ask(values)", values)
        drawn = explorer.png(2.0)
        for _ in range(20):
            figure.page.wait_for_timeout(100)         # a new background is decoded first
            if (differ := different(screen(figure), drawn)) < 0.02:
                break
        assert differ < 0.02, f"{explorer!r} at {values}: {differ:.1%} of the picture differs from matplotlib's"
        compared += 1
        if compared == min(frames, n):
            return
    assert compared, f"{explorer!r}: every sampled frame diverges"


def screen(figure):
    """What a figure shows as a picture: its background with its canvas above it."""
    url = figure.evaluate("""root => {
        const marks = root.querySelector('canvas'), both = document.createElement('canvas');
        [both.width, both.height] = [marks.width, marks.height];
        for (const part of [root.querySelector('img'), marks]) {
            both.getContext('2d').drawImage(part, 0, 0, both.width, both.height);
        }
        return both.toDataURL();
    }""")
    return base64.b64decode(url.split(",")[1])


def different(seen, drawn):
    """The share of two pictures (PNG bytes) that differs clearly; what antialiasing does to a line does not count."""
    seen, drawn = (Image.open(io.BytesIO(png)).convert("RGB") for png in (seen, drawn))
    width, height = drawn.size[0] // 4, drawn.size[1] // 4
    small = [np.asarray(im.resize((width, height), Image.Resampling.BOX), np.float32) for im in (seen, drawn)]
    return (np.abs(small[0] - small[1]).max(-1) > 60).mean()
