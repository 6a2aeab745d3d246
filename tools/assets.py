"""The files that go into decks and pages, and the size that one may have.

May import: run, shared (for its script of live figures), tools.
"""

import base64
import zlib

from run import ROOT

from . import BuildError

VENDOR, WEB = ROOT / "tools" / "vendor", ROOT / "tools" / "web"
LIMIT = 8_000_000                                     # bytes of a deck or page


def asset(name):
    """A file of tools/web or tools/vendor as text."""
    path = WEB / name
    return (path if path.exists() else VENDOR / name).read_text(encoding="utf-8")


def packed(name):
    """A script, deflated and as base64: half of its size inside a page (web/slides.js unpacks it)."""
    return base64.b64encode(zlib.compress(asset(name).encode(), 9)).decode()


def live_script():
    """The script of live figures as an inline module; `window.awake` resolves when every baked one has come to life."""
    from shared.figures.live import script

    return f'<script type="module">\n{script()}\nwindow.awake = awaken();\n</script>'


def write(path, text):
    """Write a deck or a page; its size in MB, or BuildError if that is too much."""
    size = len(text.encode())
    if size > LIMIT:
        raise BuildError(f"{path.stem}: {size / 1e6:.1f} MB, at most {LIMIT / 1e6:.0f}: "
                         "fewer or smaller pictures are needed")
    path.write_text(text, encoding="utf-8")
    return size / 1e6
