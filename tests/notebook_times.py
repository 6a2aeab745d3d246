"""A pytest plugin for notebooks: kernels start one at a time; seconds per notebook, after the run."""

import tempfile
from collections import defaultdict
from pathlib import Path

import nbval.kernel
from filelock import FileLock

seconds = defaultdict(float)
start = nbval.kernel.start_new_kernel


def one_at_a_time(**options):
    """Two kernels that start in the same instant may choose the same port, and one of them dies."""
    with FileLock(Path(tempfile.gettempdir()) / "course-kernel.lock"):
        return start(**options)


nbval.kernel.start_new_kernel = one_at_a_time


def pytest_runtest_logreport(report):
    if ".ipynb::" in report.nodeid:
        seconds[report.nodeid.split("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter):
    for name, spent in sorted(seconds.items()):
        terminalreporter.write_line(f"{spent:6.1f} s  {name}")
