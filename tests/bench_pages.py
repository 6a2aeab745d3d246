"""Decks and pages: size, and the time until the first of them can be read and its figures answer, without a network."""

from exported import offline
from lab import chromium

from tools import site, slides
from tools.assets import LIMIT
from tools.chapter import chapters

READY = 2  # seconds


def bench():
    """Rows (what, seconds, the limit, its seconds, 1), and for the sizes a line. Builds what is not built."""
    built = [("deck", path) for path in slides.build(chapters(), log=None)]
    built += [("page", path) for path in site.build(chapters(), log=None) if path.stem[0].isdigit()]
    with chromium() as browser:
        for kind, path in built:
            lab = offline(browser, path)
            seconds = lab.page.evaluate("+document.documentElement.dataset.first") / 1000
            lab.page.close()
            yield f"{kind} {path.stem}: ready", seconds, f"the limit of {READY} s", READY, 1
    largest = {kind: max(path.stat().st_size for k, path in built if k == kind) / 1e6 for kind in ("deck", "page")}
    yield f"largest deck {largest['deck']:.1f} MB, largest page {largest['page']:.1f} MB, at most {LIMIT / 1e6:.0f} MB"
