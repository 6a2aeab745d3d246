"""run.py: its commands, the set-up that can be interrupted, and one clear line for whatever can go wrong."""
import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

import run
from tools import labsettings

ROOT = Path(run.__file__).parent


@pytest.fixture
def away(monkeypatch, tmp_path):
    """run.py in an empty folder, where making an environment and calling pip are only pretended; what was called."""
    calls = []
    python = tmp_path / ".venv" / "bin" / "python"
    (tmp_path / "pyproject.toml").write_text("[project]")

    def quiet(arguments):
        calls.append(arguments[2] if arguments[1] == "-m" else arguments[1])
        if "venv" in arguments:
            python.parent.mkdir(parents=True)
            python.touch()
        return 0

    for name, value in {"ROOT": tmp_path, "VENV": tmp_path / ".venv", "PYTHON": python, "quiet": quiet}.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "STAMP", tmp_path / ".venv" / "installed")
    monkeypatch.setattr(run, "pip_config", lambda: "")
    monkeypatch.setattr(run, "install", lambda log: calls.append("install") or (0, ""))
    return calls


def test_old_pythons_can_read_it():
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_python_versions_are_said_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">=3.{run.OLDEST[1]},<3.{run.NEWEST[1] + 1}"


@pytest.mark.parametrize("version", [(3, 8, 0), (3, 10, 9), (3, 14, 0)])
def test_another_python_is_one_line(away, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "argv", ["run.py", "build"])
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=rf"^Python 3.11 to 3.13 is needed; this is 3.{version[1]}.$"):
        run.main()
    assert away == []


def test_another_python_is_looked_for(away, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(sys, "argv", ["run.py", "build", "01"])
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/there/{name}" if name == "python3.12" else None)
    called = []
    monkeypatch.setattr(run.subprocess, "call", lambda arguments: called.append(arguments) or 7)
    assert run.main() == 7
    assert called == [["/there/python3.12", str(run.ROOT / "run.py"), "build", "01"]]


def test_set_up_is_done_once(away):
    run.set_up()
    assert away == ["venv", "install"]
    run.set_up()
    assert away == ["venv", "install"]
    (run.ROOT / "pyproject.toml").write_text("[project] changed")
    run.set_up()
    assert away == ["venv", "install", "pip", "install"]


def test_an_interrupted_set_up_goes_on(away, monkeypatch):
    def interrupted(log):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "install", interrupted)
        run.set_up()
    assert not run.STAMP.exists()
    run.set_up()
    assert away == ["venv", "pip", "install"]
    assert run.STAMP.exists()


def test_a_failed_installation_is_one_line(away, monkeypatch):
    monkeypatch.setattr(run, "install", lambda log: (1, "ERROR: No space left on device"))
    with pytest.raises(SystemExit, match="^The installation stopped; .* ERROR: No space left on device .*install.log"):
        run.set_up()
    assert not run.STAMP.exists()


def test_no_environment_is_one_line(away, monkeypatch):
    monkeypatch.setattr(run, "quiet", lambda arguments: 1)
    with pytest.raises(SystemExit, match="^No environment could be made in .*writable.*python3-venv"):
        run.set_up()


def test_pips_reason_is_found(away, monkeypatch, tmp_path):
    words = ["Collecting", "WARNING: NewConnectionError: none", "  ERROR: No matching distribution", "error: exited"]
    script = f"import sys; print({chr(10).join(words)!r}); sys.exit(1)"
    monkeypatch.undo()
    begin = run.start
    monkeypatch.setattr(run, "start", lambda arguments: begin([sys.executable, "-c", script]))
    code, reason = run.install(tmp_path / "log")
    assert (code, reason) == (1, "ERROR: No matching distribution (is there a network?)")
    assert (tmp_path / "log").read_text().splitlines() == words


def test_help_lists_the_commands_there_are(monkeypatch, tmp_path, capsys):
    assert list(run.available())[:5] == ["lab", "test", "build", "sync", "tables"]
    for name in ("slides", "site", "bench"):
        assert (name in run.available()) == (ROOT / "tools" / f"{name}.py").exists()
    (tmp_path / "slides.py").touch()
    monkeypatch.setattr(run, "TOOLS", tmp_path)
    assert list(run.available()) == ["lab", "test", "build", "sync", "tables", "slides"]
    monkeypatch.setattr(sys, "argv", ["run.py", "--help"])
    with pytest.raises(SystemExit):
        run.main()
    text = capsys.readouterr().out
    for name, command in run.available().items():
        assert f"  {name:9} {command.__doc__}\n" in text
    monkeypatch.setattr(sys, "argv", ["run.py", "tset"])
    with pytest.raises(SystemExit):
        run.main()
    assert "invalid choice: 'tset'" in capsys.readouterr().err


@pytest.fixture
def stages(monkeypatch):
    """Pretended stages of the gate: their arguments as called, and the exit codes they are to return."""
    called, codes = [], {}

    def python_echo(*arguments, env):
        called.append(" ".join(arguments))
        kind = next((kind for kind in ("ruff", "not browser", "browser", "nbval") if kind in called[-1]), None)
        return codes.get(kind, 0), "= 3 passed in 1s ="

    monkeypatch.setattr(run, "python_echo", python_echo)
    return called, codes


def test_the_gate(stages, monkeypatch, tmp_path, capsys):
    called, codes = stages
    monkeypatch.setattr(run, "CHAPTERS", run.ROOT / "chapters" / "no such folder")
    assert run.test(None, []) == 0
    assert [line.split()[1] for line in called] == ["ruff", "pytest", "pytest"]       # no notebook is no failure
    assert capsys.readouterr().out.endswith(
        "\nPASSED  style: ok | tests: 3 passed in 1s | browser: 3 passed in 1s\n"
    )
    codes["browser"] = 5                                                               # nothing collected
    assert run.test(None, ["-k", "adam"]) == 0
    assert called[-1].endswith("tests/browser -k adam")
    codes["not browser"] = 1
    assert run.test(None, []) == 1
    assert "\nFAILED  style: ok" in capsys.readouterr().out
    codes.update({"not browser": 0, "ruff": 1})
    assert run.test(None, []) == 1
    assert "\nFAILED  style: failed |" in capsys.readouterr().out


def test_the_gate_on_chosen_files(stages):
    called, _ = stages
    assert run.test(None, ["tests/test_run.py::test_the_gate", "-x"]) == 0
    assert len(called) == 2 and all(line.endswith(" tests/test_run.py::test_the_gate -x") for line in called)


def test_settings_exist_in_this_jupyterlab(tmp_path):
    path = labsettings.write_overrides(tmp_path / "settings")
    from jupyterlab.commands import get_app_dir

    for plugin, settings in json.loads(path.read_text()).items():
        package, name = plugin.split(":")
        schema = json.loads((Path(get_app_dir()) / "schemas" / package / f"{name}.json").read_text())
        assert set(settings) <= set(schema["properties"])
        jsonschema.validate(settings, schema)


def test_sync_needs_a_notebook():
    with pytest.raises(SystemExit, match="sync needs one notebook: python3 run.py sync chapters/NAME.ipynb"):
        run.sync(None, [])


def test_output_of_a_stage_is_passed_on(monkeypatch, capsys):
    monkeypatch.setattr(run, "PYTHON", Path(sys.executable))
    code, last = run.python_echo("-c", "import os; print('ä', os.environ['X']); print(); exit(3)", env={"X": "1"})
    assert (code, last) == (3, "ä 1")
    assert capsys.readouterr().out == "ä 1\n\n"


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_ci_script():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert script.read_text(encoding="utf-8").rstrip().endswith("python3 run.py test")
