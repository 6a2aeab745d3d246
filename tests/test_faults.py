"""What can go wrong around the course: each fault is survived, or told in one line."""

import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest

import run
from tools import baked, site, slides
from tools.chapter import Cell, Chapter
from tools.labsettings import write_overrides

ROOT = run.ROOT
WORKS = """
import shared
from shared import data
from shared.distributed import launch
from shared.explorers import stability
from shared.figures.live import baked_html
print(ascii(shared.__file__))
for name in ("mnist", "sunspots", "co2", "text"):
    getattr(data, name)()
assert launch.launch("unequal", processes=2, timeout=60)
assert len(baked_html(stability.explorer(), {})) > 10_000
"""


def test_a_path_with_spaces_and_letters_of_other_alphabets(tmp_path):
    folder = tmp_path / "Übung 1 – 优化"
    shutil.copytree(ROOT / "shared", folder / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    ran = subprocess.run([sys.executable, "-c", WORKS], cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.strip() == ascii(str(folder / "shared" / "__init__.py"))


def test_a_port_that_is_taken(monkeypatch, tmp_path):
    """JupyterLab takes the next one and says which: with the arguments that run.py gives it."""
    called = []
    monkeypatch.setattr(run, "python", lambda *arguments: called.append([str(item) for item in arguments]))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = type("Options", (), {"port": port, "no_browser": True})
        run.lab(options, [f"--ServerApp.runtime_dir={tmp_path}", "--ServerApp.ip=127.0.0.1"])
        server = run.start([sys.executable, *called[-1]], JUPYTER_RUNTIME_DIR=str(tmp_path))
        timer = threading.Timer(60, server.kill)
        timer.start()
        try:
            address = next((line.strip() for line in server.stdout if "http://127.0.0.1:" in line), "")
        finally:
            timer.cancel()
            server.terminate()
            server.communicate(timeout=30)
    chosen = int(address.split("127.0.0.1:")[1].split("/")[0])
    assert port < chosen <= port + 50


def test_without_chromium_the_browser_tests_say_so(tmp_path):
    environment = os.environ | {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path), "COLUMNS": "300"}
    arguments = ["-q", "-rs", "-k", "test_pixels_follow", "tests/browser/test_live.py"]
    ran = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, capture_output=True,
                         text=True)  # fmt: skip
    assert ran.returncode == 0 and "1 skipped" in ran.stdout, ran.stdout[-2000:]
    assert "browser tests need Chromium (playwright install chromium)" in ran.stdout


@pytest.mark.parametrize("command", [slides, site])
def test_a_folder_that_cannot_be_written_to(command, tmp_path, capsys):
    (tmp_path / "file").touch()                       # no folder can be made below it, not even by root
    assert command.main(["1", "--stale", "--to", str(tmp_path / "file" / "here")])
    out = capsys.readouterr().out.strip()
    assert out.startswith(f"cannot write to {tmp_path / 'file' / 'here'}: ") and "\n" not in out


def test_what_was_baked_need_not_be_kept(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(baked, "BAKED", tmp_path / "file" / "baked")
    sources = ["from shared.explorers import stability", "stability.explorer()"]
    chapter = Chapter("1_chapter", [Cell(i, "code", text, "-", ["setup"], []) for i, text in enumerate(sources, 1)])
    baked.bake([chapter], quick=True, log=None)
    assert "live" in chapter.cells[1].explorer


def test_settings_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    ran = subprocess.run([sys.executable, "-m", "tools.labsettings", tmp_path / "file" / "lab"],
                         cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout.count("\n") == 1 and "cannot write to" in ran.stdout


def test_settings_that_are_right_are_not_written_again(tmp_path):
    path = write_overrides(tmp_path)
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    assert write_overrides(tmp_path) == path and path.stat().st_mtime_ns == before
    path.chmod(0o644)
    path.write_text("{}")
    assert "fetchNews" in write_overrides(tmp_path).read_text()
