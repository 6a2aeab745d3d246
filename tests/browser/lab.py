"""A JupyterLab server and a Chromium page, for tests that act as a reader does; they skip where there is no browser."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.baked import needed
from tools.chapter import load
from tools.labsettings import write_overrides

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

KERNEL = "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel"


class Lab:
    """A page on a running JupyterLab: open a notebook, run it, drag its controls, look at its figures."""

    def __init__(self, page, url, token):
        self.page, self.url, self.token, self.problems = page, url, token, []
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open_notebook(self, path):
        """Open a notebook (relative to the server's folder) and wait until it can run."""
        self.page.goto(f"{self.url}/lab/tree/{path}?token={self.token}&reset")
        self.page.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
        self.page.wait_for_timeout(300)
        self.problems.clear()  # what the empty application says at its start is not about the notebook

    def run_all(self, timeout=300):
        """Run every cell and wait for the last."""
        self.page.evaluate("""() => { window.ran = false;
            window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true; }); }""")
        self.page.wait_for_function("() => window.ran", timeout=1000 * timeout)
        self.page.wait_for_timeout(300)

    def run_explorers(self, chapter):
        """Run the cells of a chapter that show an explorer, and before each only the cells that it needs."""
        for cell in needed(load(chapter)):
            if cell.shows_explorer:
                self.page.evaluate("""async (i) => {
                    window.jupyterapp.shell.currentWidget.content.activeCellIndex = i;
                    await window.jupyterapp.commands.execute('notebook:run-cell');
                }""", cell.number - 1)  # fmt: skip
            else:
                assert "Error" not in self.run_code(cell.text), cell.text

    def run_code(self, code):
        """Run code in the notebook's kernel and return what it prints, or the message of its error."""
        self.page.evaluate(
            """async (code) => {
            const panel = window.jupyterapp.shell.currentWidget;
            const future = panel.sessionContext.session.kernel.requestExecute({ code });
            window.printed = "";
            future.onIOPub = (m) => { window.printed += m.content.text ?? m.content.evalue ?? ""; };
            await future.done;
        }""",
            code,
        )
        return self.page.evaluate("window.printed")

    def stop_kernels(self):
        """Shut down the kernels of all notebooks opened so far."""
        self.page.evaluate("async () => await window.jupyterapp?.serviceManager.sessions.shutdownAll()")

    def explorers(self):
        """The live figures of the page, as locators."""
        figures = self.page.locator(".live")
        return [figures.nth(i) for i in range(figures.count())]

    def settle(self, figure, timeout=60):
        """Wait until a figure has painted nothing new for a moment and its kernel is idle; returns its fingerprint."""
        end, last = time.monotonic() + timeout, None
        while time.monotonic() < end:
            now = canvas_pixels(figure)
            if now == last and self.page.evaluate(f"['idle', undefined].includes({KERNEL}?.status)"):
                return now
            last = now
            self.page.wait_for_timeout(120)
        raise AssertionError("the figure does not come to rest")

    def drag(self, figure, name):
        """Move one control as a reader does; returns whether the pixels of the figure followed."""
        bring_up(figure, name)
        before = self.settle(figure)
        return any(act() is not False and self.follows(figure, before) for act in acts(figure, name))

    def follows(self, figure, before, timeout=10):
        """Whether a figure comes to show something else than the fingerprint `before`; waits for it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if canvas_pixels(figure) != before:
                self.settle(figure)
                return True
            self.page.wait_for_timeout(50)
        return False


def names(figure):
    """The names of a figure's controls."""
    return figure.locator("[data-control]").evaluate_all("nodes => nodes.map(n => n.dataset.control)")


def bring_up(figure, name):
    """Make the choices on which a hidden control depends (`only` in controls.py)."""
    when = figure.locator(f"[data-control={name}]").first.get_attribute("data-when")
    for other, value in json.loads(when or "{}").items():
        figure.locator(f"[data-control={other}] select").select_option(value)


def acts(figure, name):
    """What a reader may do to a control, from the usual to the last resort. False: the control stayed."""
    node = figure.locator(f"[data-control={name}]").first
    node.scroll_into_view_if_needed()
    kind = node.evaluate("n => (n.querySelector('input, select') ?? n).type ?? n.className")
    page = figure.page

    def slide(*fractions):
        slider = node.locator("input")
        box, before = slider.bounding_box(), slider.input_value()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * fractions[0], y)
        page.mouse.down()
        for u in fractions[1:]:
            page.mouse.move(box["x"] + box["width"] * u, y, steps=4)
        page.mouse.up()
        return slider.input_value() != before

    def choose(label):
        menu = node.locator("select")
        before = menu.input_value()
        menu.select_option(label)
        return menu.input_value() != before

    def move():
        box = node.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 25, box["y"] + 35, steps=4)
        page.mouse.up()

    if kind == "range":
        return [lambda: slide(0.5, 0.2), lambda: slide(0.2, 0.8), lambda: slide(0.8, 0.02), lambda: slide(0.1, 0.98)]
    if kind.startswith("select"):
        return [lambda label=label: choose(label) for label in reversed(node.locator("option").all_text_contents())]
    if kind == "checkbox":
        return [node.locator("input").click]
    if "live-wide" in kind:
        return [chip.click for chip in node.locator("button").all()]
    return [move, lambda: node.press("ArrowLeft"), lambda: node.press("ArrowDown")]


def canvas_pixels(figure):
    """What a figure shows: a fingerprint of its canvas, its background and its points."""
    return figure.evaluate("""async (root) => {
        const data = new TextEncoder().encode(root.querySelector('canvas').toDataURL() + root.querySelector('img').src
            + [...root.querySelectorAll('.live-point')].map(p => p.style.cssText));
        let hash = 0x811c9dc5;
        for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
        return hash;
    }""")


@contextmanager
def jupyterlab(folder, temporary):
    """JupyterLab on a folder, with the course's settings and nothing of the user's own; yields (url, token)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, temporary = secrets.token_hex(16), Path(temporary)
    write_overrides(temporary / "settings")
    options = [
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        "--no-browser",
        "--expose-app-in-browser",
        f"--LabApp.app_settings_dir={temporary / 'settings'}",
        f"--LabApp.user_settings_dir={temporary / 'user'}",
        f"--LabApp.workspaces_dir={temporary / 'workspaces'}",
        "--LabApp.extension_manager=readonly",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    own = {f"JUPYTER_{kind}_DIR": str(temporary / kind.lower()) for kind in ("CONFIG", "RUNTIME")}
    environment = (
        os.environ
        | own
        | {
            "IPYTHONDIR": str(temporary / "ipython"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
        }
    )
    environment.pop("MPLBACKEND", None)
    with open(temporary / "server.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                if server.poll() is not None:
                    raise RuntimeError((temporary / "server.log").read_text()[-2000:])
                try:
                    urllib.request.urlopen(f"{url}/api/status?token={token}", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.25)
            yield url, token
        finally:
            server.terminate()  # it stops its kernels
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


@contextmanager
def chromium():
    """A Chromium of the system or of Playwright; skips the test where there is none."""
    sync = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright")
    with sync.sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        try:
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        except sync.Error as error:
            pytest.skip(f"browser tests need Chromium (playwright install chromium): {str(error).splitlines()[0]}")
        yield browser
        browser.close()
