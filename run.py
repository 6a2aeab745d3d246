"""Everything the course does starts here; `python3 run.py --help` lists it. Standard library only."""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)                     # as requires-python in pyproject.toml
ROOT = Path(__file__).resolve().parent
CHAPTERS = ROOT / "chapters"
TOOLS = ROOT / "tools"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed"                            # written last: an interrupted set-up is taken up again
QUIET = {                                             # libraries that talk on stderr without being asked
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "GRPC_VERBOSITY": "ERROR",
    "JAX_PLATFORMS": "cpu",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
HELP = """
commands (none: set up if needed, and open JupyterLab on chapters/)
{commands}

On Linux, pip's default torch is the CUDA build (gigabytes). For the CPU build, set PIP_EXTRA_INDEX_URL to the CPU index
that the "Start locally" page of PyTorch names, before the first start.
"""


def main():
    """Read the command line, set up, run one command; the exit code."""
    commands = available()
    parser = argparse.ArgumentParser(
        usage="python3 run.py [command] [options]",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=HELP.format(commands="\n".join("  {:9} {}".format(name, fn.__doc__) for name, fn in commands.items())),
    )
    parser.add_argument("command", nargs="?", default="lab", choices=list(commands), metavar="command", help="below")
    parser.add_argument("--port", type=int, default=8888, help="first port to try (default 8888)")
    parser.add_argument("--no-browser", action="store_true", help="serve JupyterLab without opening a browser")
    options, extra = parser.parse_known_args()
    if options.command == "lab" and extra:
        parser.error("unknown option: " + " ".join(extra))
    if not OLDEST <= sys.version_info[:2] <= NEWEST and not PYTHON.exists():
        return with_another_python()
    set_up()
    return commands[options.command](options, extra)


def available():
    """The commands by name; those whose module is not there (yet) are left out."""
    commands = {fn.__name__: fn for fn in (lab, test, build, sync, tables)}
    later = slides, site, worlds, bench
    commands.update({fn.__name__: fn for fn in later if (TOOLS / (fn.__name__ + ".py")).exists()})
    return commands


def lab(options, extra):
    """open JupyterLab on chapters/ [--port N] [--no-browser]"""
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    python("-m", "tools.labsettings", settings)
    arguments = ["-m", "jupyterlab", "--ServerApp.root_dir={}".format(CHAPTERS), "--port={}".format(options.port)]
    arguments += ["--LabApp.app_settings_dir={}".format(settings), "--log-level=WARN"]
    if options.no_browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")              # a container; the server listens on this machine only
    return python(*arguments)


def test(options, extra):
    """the whole gate: style, tests, every notebook, the browser [pytest options and files]"""
    files = [item for item in extra if (ROOT / item.split("::")[0]).exists()]
    extra = [item for item in extra if item not in files]
    notebooks = [item for item in files if ".ipynb" in item]
    tests = [item for item in files if item not in notebooks]
    if not files:
        tests = ["tests"]
        notebooks = sorted((path.relative_to(ROOT).as_posix() for path in CHAPTERS.glob("*.ipynb")), reverse=True)
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "-p", "tests.notebook_times"]
    nbval += ["--dist=loadscope", "--no-loadscope-reorder"]       # the late chapters, the longest, first
    stages = [] if files else [("style", ["ruff", "check", "--quiet"], {})]
    if tests:
        stages.append(("tests", ["pytest", "-q", "-n2", "-m", "not browser", *tests, *extra], ONE_THREAD))
    if notebooks:
        stages.append(("notebooks", ["pytest", "-q", "-n2", *nbval, *notebooks, *extra],
                       {"CLAIMS": "strict", **ONE_THREAD}))
    if tests:
        browser = ["-n2", "-rs", "-m", "browser", *(tests if files else ["tests/browser"])]
        stages.append(("browser", ["pytest", "-q", *browser, *extra], {}))
    summary, failed = [], False
    for name, arguments, environment in stages:
        print("\n== {}: {}".format(name, " ".join(arguments)), flush=True)
        code, last = python_echo("-m", *arguments, env=environment)
        empty = arguments[0] == "pytest" and code == 5          # no test was selected
        failed = failed or (code != 0 and not empty)
        words = last.strip("= ") if arguments[0] == "pytest" else "failed" if code else "ok"
        summary.append("{}: {}".format(name, words))
    print("\n{}  {}".format("FAILED" if failed else "PASSED", " | ".join(summary)))
    return int(failed)


def build(options, extra):
    """execute chapters whose source or shared code changed [chapter ...] [--force] [--check]"""
    return python("-m", "tools.build", *extra)


def sync(options, extra):
    """bring an edited notebook back to chapters/source: sync chapters/NAME.ipynb"""
    if len(extra) != 1:
        fail("sync needs one notebook: python3 run.py sync chapters/NAME.ipynb")
    return python("-m", "tools.build", "--sync", extra[0])


def tables(options, extra):
    """make the committed tables of chapters anew, comparisons too dear for a notebook [chapter ...]"""
    os.environ["COURSE_TABLES"] = "make"
    return python("-m", "tools.build", "--force", *extra)


def slides(options, extra):
    """write one self-contained deck per chapter [chapter ...]"""
    return python("-m", "tools.slides", *extra)


def site(options, extra):
    """write the chapters as self-contained pages"""
    return python("-m", "tools.site", *extra)


def worlds(options, extra):
    """in how many worlds each claim is true: other seeds, instruction sets, threads [chapter ...] [--n 10]"""
    return python("-m", "tools.worlds", *extra)


def bench(options, extra):
    """measure speed, as ratios of one run with the alternatives beside them"""
    return python("-m", "tools.bench", *extra)


def set_up():
    """Make .venv and install pyproject.toml's list into it, unless that is done."""
    mark = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == mark and PYTHON.exists():
        return
    started = time.time()
    try:
        if not PYTHON.exists() or quiet([str(PYTHON), "-m", "pip", "--version"]):
            print("Making .venv with Python {}.{} ...".format(*sys.version_info[:2]), flush=True)
            if quiet([sys.executable, "-m", "venv", "--clear", str(VENV)]):
                fail("No environment could be made in {}: is the folder writable, is there room, and has Python "
                     "its venv module (on Debian and Ubuntu: apt install python3-venv)?".format(ROOT))
        if sys.platform == "linux" and "extra-index-url" not in pip_config():
            print("Note: on Linux, pip's torch brings gigabytes of CUDA; `run.py --help` says how to avoid it.")
        print("Installing the course's packages; the first time takes some minutes ...", flush=True)
        log = VENV / "install.log"
        code, error = install(log)
        if code:
            fail("The installation stopped; the same command goes on from there. {} (all in {})".format(error, log))
        STAMP.write_text(mark)
    except OSError as error:
        fail("Cannot write to {}: {}".format(VENV, error.strerror or error))
    print("Ready after {:.0f} s.".format(time.time() - started), flush=True)


def install(log):
    """Run pip, its words to a log and the latest of them to the terminal; the exit code and pip's own reason."""
    arguments = [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off", "--editable", ".[test]"]
    reason = ""
    with log.open("w", encoding="utf-8") as file, start(arguments) as pip:
        for line in pip.stdout:
            file.write(line)
            said = line.strip()
            if said.startswith("ERROR:") or "NewConnectionError" in said or (said.startswith("error:") and not reason):
                network = "NewConnectionError" in said or "No matching distribution" in said
                reason = said + (" (is there a network?)" if network else "")
            if sys.stdout.isatty():
                width = shutil.get_terminal_size().columns - 1
                print("\r" + line.strip()[:width].ljust(width), end="", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="")
    return pip.returncode, reason or "pip gave no reason."


def pip_config():
    """What pip is told about where packages are, by its files and the environment."""
    told = subprocess.run([str(PYTHON), "-m", "pip", "config", "list"], stdout=subprocess.PIPE, universal_newlines=True)
    return told.stdout.lower().replace("_", "-")


def with_another_python():
    """This Python is too old or too new: start again with a fitting one of the PATH, or say what is needed."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which("python3.{}".format(minor))
        if found and not quiet([found, "-c", "import venv, ensurepip"]):
            return subprocess.call([found, str(ROOT / "run.py")] + sys.argv[1:])
    fail("Python {}.{} to {}.{} is needed; this is {}.{}.".format(*OLDEST, *NEWEST, *sys.version_info[:2]))


def python(*arguments):
    """Run the environment's Python in the project's folder; its exit code. Ctrl-C goes to it alone."""
    command = [str(PYTHON)] + [str(argument) for argument in arguments]
    process = subprocess.Popen(command, cwd=str(ROOT), env=dict(os.environ, **QUIET))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass                                      # the child heard it too and decides


def python_echo(*arguments, env):
    """The same, passing its output on; the exit code and the last line that says something."""
    last = ""
    with start([str(PYTHON)] + list(arguments), **QUIET, **env) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode, last


def start(arguments, **env):
    """A process in the project's folder whose words can be read line by line."""
    env = dict(os.environ, PYTHONUTF8="1", PYTHONUNBUFFERED="1", **env)
    return subprocess.Popen(
        arguments, cwd=str(ROOT), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace",
    )


def quiet(arguments):
    """Run without a word; nonzero if it failed."""
    return subprocess.call(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fail(message):
    sys.exit(message)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
